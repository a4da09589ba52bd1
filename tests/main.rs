//! The promises, one module each: what must hold of the whole, tried from outside.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::disallowed_methods,
        clippy::float_cmp,
        clippy::cast_precision_loss,
        reason = "tests fail by panicking, wait by the real clock, and compare counts that metrics show as floats"
    )
)]

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod architecture;
mod arrays;
#[cfg(test)]
mod benched;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod breakers;
#[cfg(test)]
mod cached;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod clouds;
#[cfg(test)]
mod custom_tools;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod disconnects;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod drills;
#[cfg(test)]
mod embedders;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod fitting;
#[cfg(test)]
mod followed;
#[cfg(test)]
mod http2_upstream;
#[cfg(test)]
mod inspected;
#[cfg(test)]
mod isolated;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod large;
#[cfg(test)]
mod learned;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod paced;
mod passthrough;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
mod reuse;
#[cfg(test)]
mod scoring;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod settlement;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod surfaces;
#[cfg(test)]
mod timeouts;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod translation;
#[cfg(test)]
mod uploads;
