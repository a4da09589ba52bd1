//! Whom a graph holds: what is needed to build it again, and to look after it.

use std::sync::Arc;

use hashbrown::HashMap;
use rapidhash::fast::RandomState;

use crate::Vector;

/// What a member takes at most: its row, its place, and the slack of both.
pub(super) const BYTES: usize = 2 * (size_of::<Row>() + size_of::<(u64, u32)>() + 1);

/// A vector and its id.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) vector: Arc<Vector>,
}

#[derive(Debug, Default)]
pub(super) struct Members {
    rows: Vec<Row>,
    places: HashMap<u64, usize, RandomState>,
}

impl Members {
    pub(super) fn of(rows: &[Row]) -> Self {
        Self {
            rows: rows.to_vec(),
            places: rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn get(&self, id: u64) -> Option<&Row> {
        self.rows.get(*self.places.get(&id)?)
    }

    pub(super) fn push(&mut self, row: Row) {
        self.places.insert(row.id, self.rows.len());
        self.rows.push(row);
    }

    pub(super) fn remove(&mut self, id: u64) -> bool {
        let Some(at) = self.places.remove(&id) else {
            return false;
        };
        self.rows.swap_remove(at);
        if let Some(moved) = self.rows.get(at) {
            self.places.insert(moved.id, at);
        }
        true
    }
}
