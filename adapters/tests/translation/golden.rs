//! What each kind of request, answer and stream must become: pinned, to be read by people.

mod answers;
mod requests;
mod streams;
