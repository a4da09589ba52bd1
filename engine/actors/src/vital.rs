//! An actor without which the process must not go on.
//!
//! actix does not restart an actor that panics: its mailbox closes, and what it published stays as it was. Frozen
//! health is worse than a restart, so a panic in a control actor is told to whoever can end the process.

use std::fmt;
use std::sync::Arc;

/// Called with the name of a control actor that has panicked. It is expected to end the process.
pub type OnDeath = Arc<dyn Fn(&str) + Send + Sync>;

/// Held by an actor; dropped with it.
pub(crate) struct Vital {
    name: String,
    on_death: OnDeath,
}

impl Vital {
    pub(crate) fn new(name: String, on_death: OnDeath) -> Self {
        Self { name, on_death }
    }
}

impl Drop for Vital {
    /// An actor that stops is dropped in peace; one that panics is dropped while its thread unwinds.
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.on_death)(&self.name);
        }
    }
}

impl fmt::Debug for Vital {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vital({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler, Message};
    use parking_lot::Mutex;

    use super::*;

    struct Mortal(#[expect(dead_code, reason = "it only matters when it is dropped")] Vital);

    #[derive(Message)]
    #[rtype(result = "()")]
    enum Fate {
        Panic,
        Stop,
    }

    impl Actor for Mortal {
        type Context = Context<Self>;
    }

    impl Handler<Fate> for Mortal {
        type Result = ();

        fn handle(&mut self, fate: Fate, context: &mut Self::Context) {
            match fate {
                Fate::Panic => panic!("on purpose"),
                Fate::Stop => actix::ActorContext::stop(context),
            }
        }
    }

    async fn deaths_by(fate: Fate) -> Vec<String> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let on_death: OnDeath = {
            let heard = heard.clone();
            Arc::new(move |name| heard.lock().push(name.to_owned()))
        };
        let mortal = Mortal(Vital::new("health/a".to_owned(), on_death)).start();
        let _ = mortal.send(fate).await;
        while mortal.connected() {
            actix_rt::task::yield_now().await;
        }
        actix_rt::task::yield_now().await;
        heard.lock().clone()
    }

    #[actix_rt::test]
    async fn a_panic_is_told_and_a_stop_is_not() {
        assert_eq!(deaths_by(Fate::Panic).await, ["health/a"]);
        assert!(deaths_by(Fate::Stop).await.is_empty());
    }
}
