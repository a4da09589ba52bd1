//! Drills: rehearsals of outages, with a verdict. Load flows through a gateway to simulated providers; something is
//! broken, and mended again; what clients saw, the gateway's access log and its admin API say how it went.
//!
//! `table` says what is broken and what must hold, `facts` what the gateway's configuration is and why it cannot pass,
//! `conduct` leads through the phases before, during and after, `strike` breaks and mends. `calls`, `journal` and
//! `breakers` are what is seen of it; from these `course` and `figures` make numbers, `thresholds` verdicts, `advice`
//! what to change (`judge` puts them together), and `report` all that people and programs read.
//!
//! This end knows HTTP only. Processes are the business of whoever has a [`Site`].

mod advice;
mod breakers;
mod calls;
mod conduct;
mod course;
mod facts;
mod few;
mod figures;
mod http;
mod journal;
mod judge;
mod kept;
mod load;
mod plan;
mod report;
mod site;
mod strike;
mod table;
mod tell;
mod thresholds;

pub use breakers::Change;
pub use conduct::{Foresee, Interrupted, Stand, Watcher, conduct};
pub use facts::{Facts, UnknownModel};
pub use figures::{Cut, Phase};
pub use plan::Plan;
pub use report::{Measured, NotHeld, Probes, Report, Reports, Verdict};
pub use site::{Site, Tuning, edition_key, everyday};
pub use table::{Drill, Fault, drill, drills};
pub use thresholds::Threshold;
