//! In what order a question names its topics, where the order means something.

use super::lexicon::hash;
use super::scan::Shape;
use super::words::Word;

/// The topics as they follow each other; both sides of `and`, `or` and `vs` sorted, for their order means nothing.
pub(super) fn order(words: &[Word], shapes: &[Shape]) -> Box<[u64]> {
    let joins = ["and", "or", "vs", "versus", "v"].map(hash);
    let articles = ["a", "an", "the"].map(hash);
    let between = hash("between");
    let mut order = Vec::with_capacity(words.len());
    let (mut run, mut pending, mut stopped) = (0, None, false);
    let places = spoken(shapes);
    let said = places
        .into_iter()
        .filter_map(|at| words.get(at).zip(shapes.get(at)));
    for (word, shape) in said {
        let is_article = articles.contains(&word.form);
        stopped |= shape.after_stop;
        if joins.contains(&word.form) && run < order.len() {
            settle(&mut order, pending.take());
            pending = Some((run, order.len()));
        } else if word.topic {
            if stopped {
                settle(&mut order, pending.take());
                run = order.len();
            }
            order.push(word.lemma);
            if word.form == between {
                settle(&mut order, pending.take());
                run = order.len();
            }
        } else if !is_article {
            settle(&mut order, pending.take());
            run = order.len();
        }
        stopped &= is_article;
    }
    settle(&mut order, pending);
    order.into()
}

/// The places of the words, an amount before its currency however it is written.
pub(super) fn spoken(shapes: &[Shape]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..shapes.len()).collect();
    for (at, both) in shapes.windows(2).enumerate() {
        if matches!(both, [sign, number] if sign.sign && number.number) {
            places.swap(at, at + 1);
        }
    }
    places
}

/// Puts the two blocks that begin at the given places into an order of ours.
fn settle(order: &mut [u64], blocks: Option<(usize, usize)>) {
    let Some((left, right)) = blocks else { return };
    let Some(both) = order.get_mut(left..) else { return };
    let Some((a, b)) = both.split_at_checked(right - left) else {
        return;
    };
    if !b.is_empty() && b < a {
        both.rotate_left(right - left);
    }
}
