//! The stages of the line, each alone: requests are brought as far as it, and then all of them take that one step.

use bytes::Bytes;
use tollgate::bench::{Step, Walk};

use super::Stage;
use crate::line::{Asked, Line};

/// Requests that are at the same stage at once.
const WALKS: u64 = 128;

pub(super) fn stages(line: &Line) -> Vec<Stage> {
    let chat = || Asked::chat(1024);
    vec![
        step(line, "open", chat(), Step::Open),
        step(line, "authenticate", chat(), Step::Authenticate),
        step(line, "accept", chat(), Step::Accept),
        step(line, "bound", chat(), Step::Bound),
        step(line, "recall_off", chat(), Step::Recall),
        recall_hit(line),
        step(line, "plan", chat(), Step::Plan),
        step(line, "attempt", chat(), Step::Attempt),
        step(line, "attempt_cross", Asked::cross(1024), Step::Attempt),
        request(line),
        step(line, "respond_and_settle", chat(), Step::Respond),
        settle(line),
    ]
}

/// `step` alone.
fn step(line: &Line, name: &'static str, asked: Asked, step: Step) -> Stage {
    let line = line.clone();
    Stage::new(name, WALKS, move |times, meter| {
        let mut walks = brought(&line, &asked, step, times);
        meter(&mut || {
            line.block_on(async {
                for walk in &mut walks {
                    walk.take(step).await.expect("a step");
                }
            });
        });
        put_away(&line, walks);
    })
}

/// `recall` alone, where the answer is kept.
fn recall_hit(line: &Line) -> Stage {
    let (line, asked) = (line.clone(), Asked::kept(1024));
    let mut is_kept = false;
    Stage::new("recall_hit", WALKS, move |times, meter| {
        if !is_kept {
            line.rest();
            line.block_on(line.serve(&asked, 1, None));
            // The keeper has a thread of its own.
            (0..5).for_each(|_| line.rest());
            is_kept = true;
        }
        let mut walks = brought(&line, &asked, Step::Recall, times);
        meter(&mut || {
            line.block_on(async {
                for walk in &mut walks {
                    walk.take(Step::Recall).await.expect("a step");
                }
            });
        });
        line.block_on(async {
            for walk in &mut walks {
                walk.take(Step::Respond).await.expect("a hit");
            }
        });
        put_away(&line, walks);
    })
}

/// URI and headers of what the provider is sent: a part of `attempt`.
fn request(line: &Line) -> Stage {
    let line = line.clone();
    Stage::new("attempt/request", WALKS, move |times, meter| {
        let asked = Asked::chat(1024);
        let walks = brought(&line, &asked, Step::Attempt, times);
        let body: &Bytes = asked.body();
        let mut requests = Vec::with_capacity(walks.len());
        meter(&mut || {
            let built = walks.iter().map(|it| it.request("/chat/completions", body));
            requests.extend(built.map(|it| it.expect("a request")));
        });
        put_away(&line, walks);
    })
}

/// The account settled: a part of `respond_and_settle`.
fn settle(line: &Line) -> Stage {
    let line = line.clone();
    Stage::new("settle", WALKS, move |times, meter| {
        let mut walks = brought(&line, &Asked::chat(1024), Step::Respond, times);
        for walk in &mut walks {
            walk.book().expect("an answer");
        }
        meter(&mut || line.block_on(async { walks.iter_mut().for_each(Walk::settle) }));
        put_away(&line, walks);
    })
}

fn put_away(line: &Line, walks: Vec<Walk>) {
    line.block_on(async { drop(walks) });
}

fn brought(line: &Line, asked: &Asked, step: Step, times: u64) -> Vec<Walk> {
    line.rest();
    line.block_on(async {
        let mut walks = Vec::new();
        for _ in 0..times {
            walks.push(line.walk(asked, step).await);
            // What a request leaves behind for other tasks is done before the next one comes.
            tokio::task::yield_now().await;
        }
        walks
    })
}
