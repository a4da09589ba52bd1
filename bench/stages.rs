//! What is measured, by its name: each stage of the line alone, the parts they are made of, and the whole line.
//!
//! One list for all that measure: times (`--bench serve`), instructions and allocations (`--bin budget`), and
//! allocations once more (`tests/allocations.rs`).

mod parts;
mod walks;

use crate::line::{Asked, Line, Size};

/// Counts or clocks what is run within it.
pub type Meter<'m> = dyn FnMut(&mut dyn FnMut()) + 'm;

/// Something that is measured.
pub struct Stage {
    /// Its name in budgets and tables.
    pub name: &'static str,
    /// Times in one measurement that are enough.
    pub times: u64,
    run: Box<Run>,
}

/// Does the work so many times under a meter.
type Run = dyn FnMut(u64, &mut Meter<'_>);

impl Stage {
    /// Gets ready, does its work so many times under `meter`, which is called once, and puts everything away.
    pub fn run(&mut self, times: u64, meter: &mut Meter<'_>) {
        (self.run)(times, meter);
    }

    /// Does its work without measuring it, until nothing is new to it.
    pub fn warm_up(&mut self) {
        for _ in 0..2 {
            self.run(self.times, &mut |work| work());
        }
    }

    fn new(name: &'static str, times: u64, run: impl FnMut(u64, &mut Meter<'_>) + 'static) -> Self {
        Self {
            name,
            times,
            run: Box::new(run),
        }
    }

    /// One that needs no fresh material each time.
    fn plain<T>(name: &'static str, mut work: impl FnMut() -> T + 'static) -> Self {
        Self::new(name, 512, move |times, meter| {
            meter(&mut || {
                for _ in 0..times {
                    std::hint::black_box(work());
                }
            });
        })
    }

    /// One that uses up what it works on. What it leaves is dropped unmeasured.
    fn consuming<I, O>(
        name: &'static str,
        mut prepare: impl FnMut() -> I + 'static,
        mut work: impl FnMut(I) -> O + 'static,
    ) -> Self {
        Self::new(name, 256, move |times, meter| {
            let mut inputs: Vec<I> = (0..times).map(|_| prepare()).collect();
            let mut outputs = Vec::with_capacity(inputs.len());
            meter(&mut || outputs.extend(inputs.drain(..).map(&mut work)));
        })
    }
}

/// All of them. They share one gateway, or have one of their own where the name says so.
pub fn all() -> Vec<Stage> {
    let line = Line::new(Size::default());
    let mut stages = walks::stages(&line);
    stages.extend(parts::stages());
    stages.extend(whole(&line));
    stages
}

/// The whole line: from the client's bytes to the answer's.
fn whole(line: &Line) -> Vec<Stage> {
    let kilobytes = |kilobytes: usize| kilobytes * 1024;
    let default = Size::default();
    vec![
        served(line, "line/constant", Asked::constant(1024)),
        served(line, "line/bare", Asked::bare(1024)),
        served(line, "line/chat", Asked::chat(1024)),
        served(line, "line/chat_10k", Asked::chat(kilobytes(10))),
        served(line, "line/chat_100k", Asked::chat(kilobytes(100))),
        served(line, "line/cross", Asked::cross(1024)),
        served(line, "line/stream", Asked::stream(1024)),
        served(line, "line/stream_cross", Asked::cross_stream(1024)),
        served(line, "line/cache_hit", Asked::kept(1024)),
        served(line, "line/ten_rules_more", Asked::governed(1024)),
        served_by("line/1000_routes", Asked::chat(1024), {
            let (line, routes) = (line.clone(), 1_000);
            move || line.beside(Size { routes, ..default })
        }),
        served_by("line/100000_keys", Asked::chat(1024), {
            let (line, keys) = (line.clone(), 100_000);
            move || line.beside(Size { keys, ..default })
        }),
    ]
}

fn served(line: &Line, name: &'static str, asked: Asked) -> Stage {
    let line = line.clone();
    served_by(name, asked, move || line.clone())
}

/// One of a gateway that is started when it is first needed.
fn served_by(name: &'static str, asked: Asked, start: impl Fn() -> Line + 'static) -> Stage {
    let mut started = None;
    Stage::new(name, 128, move |times, meter| {
        let line = started.get_or_insert_with(&start);
        line.rest();
        let mut conversation = Some(line.serve(&asked, times, None));
        meter(&mut || {
            if let Some(conversation) = conversation.take() {
                line.block_on(conversation);
            }
        });
    })
}
