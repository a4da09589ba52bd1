//! What a stream is read and written by, whatever its dialect.

use tollgate_core::Usage;

use crate::chat::answer::Piece;
use crate::chat::names::Renamed;
use crate::error_words::ErrorWords;
use crate::report::Report;
use crate::sse::Event;

/// Reads a provider's stream: what it tells the gateway, and what it says to the client.
pub(crate) trait Source: std::fmt::Debug {
    /// Takes in what an event tells the gateway, and hands out what it says to the client. One that tells an error
    /// says nothing else.
    fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>));

    /// What is known so far.
    fn report(&self) -> &Report;

    /// The same, to be completed.
    fn report_mut(&mut self) -> &mut Report;
}

/// Reads the events of one dialect as pieces of an answer.
pub(crate) trait Pieces: std::fmt::Debug {
    /// Takes an event in, and hands out what it says.
    fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>));
}

/// Writes pieces of an answer as the events of one dialect.
pub(crate) trait Writer: std::fmt::Debug {
    /// Writes a piece.
    fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>);

    /// Ends the stream as it should end.
    fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>);

    /// Ends the stream with an error, and closes what is open.
    fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>);

    /// Whether the answer's end has been told.
    fn is_finished(&self) -> bool;

    /// Goes on with the answer of another provider, where tools have other names.
    fn rename(&mut self, renamed: Renamed);

    /// A second one, where this one is.
    fn fork(&self) -> Box<dyn Writer>;
}
