//! Files are damaged in any way, after any life: what comes back is as it was.

use super::*;

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => any::<u8>().prop_map(Op::Put),
        3 => any::<u8>().prop_map(Op::Replace),
        2 => any::<u8>().prop_map(Op::Evict),
        2 => any::<u8>().prop_map(Op::Remove),
        2 => any::<u8>().prop_map(Op::Invalidate),
        1 => any::<u8>().prop_map(Op::Condemn),
        2 => Just(Op::Sync),
        2 => Just(Op::Begin),
        3 => (0u8..4).prop_map(Op::Fill),
        2 => Just(Op::Commit),
        1 => Just(Op::Compact),
        2 => Just(Op::Restart),
        2 => (0u8..4).prop_map(Op::Load),
        4 => Just(Op::LoadAll),
    ]
}

/// What can become of a file.
#[derive(Debug, Clone)]
enum Harm {
    Flip {
        at: usize,
        bit: u8,
    },
    CutOff {
        at: usize,
    },
    Zeros {
        from: usize,
    },
    MoreZeros {
        many: usize,
    },
    /// A piece of it comes twice, in place of what was there or before it.
    Twice {
        from: usize,
        len: usize,
        to: usize,
        replaces: bool,
    },
    /// A piece of it is missing.
    Hole {
        from: usize,
        len: usize,
    },
    /// Another file of the cache under this name.
    Swapped {
        with: usize,
    },
    Foreign(Vec<u8>),
    Deleted,
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let place = 0usize..5000;
    prop_oneof![
        4 => (place.clone(), 0u8..8).prop_map(|(at, bit)| Harm::Flip { at, bit }),
        3 => place.clone().prop_map(|at| Harm::CutOff { at }),
        2 => place.clone().prop_map(|from| Harm::Zeros { from }),
        1 => (1usize..5000).prop_map(|many| Harm::MoreZeros { many }),
        3 => (place.clone(), 1usize..600, place.clone(), any::<bool>())
            .prop_map(|(from, len, to, replaces)| Harm::Twice { from, len, to, replaces }),
        2 => (place, 1usize..600).prop_map(|(from, len)| Harm::Hole { from, len }),
        1 => any::<usize>().prop_map(|with| Harm::Swapped { with }),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Harm::Foreign),
        1 => Just(Harm::Deleted),
    ]
}

impl Harm {
    fn befall(&self, files: &Faulty, nth: usize) {
        let names: Vec<String> = files
            .names()
            .into_iter()
            .filter(|name| name != "cache.lock")
            .collect();
        let Some(name) = names.get(nth % names.len().max(1)) else {
            return;
        };
        let mut bytes = files.read(name);
        let within = |place: &usize| place % (bytes.len() + 1);
        match self {
            Self::Flip { at, bit } => {
                let at = at % bytes.len().max(1);
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << bit);
            }
            Self::CutOff { at } => bytes.truncate(within(at)),
            Self::Zeros { from } => {
                let from = within(from);
                bytes[from..].fill(0);
            }
            Self::MoreZeros { many } => bytes.extend(vec![0; *many]),
            Self::Twice {
                from,
                len,
                to,
                replaces,
            } => {
                let (from, to) = (within(from), within(to));
                let piece = bytes[from..(from + len).min(bytes.len())].to_vec();
                let end = if *replaces {
                    (to + piece.len()).min(bytes.len())
                } else {
                    to
                };
                bytes.splice(to..end, piece);
            }
            Self::Hole { from, len } => {
                let from = within(from);
                bytes.drain(from..(from + len).min(bytes.len()));
            }
            Self::Swapped { with } => bytes = files.read(&names[with % names.len()]),
            Self::Foreign(foreign) => bytes.clone_from(foreign),
            Self::Deleted => return files.delete(name),
        }
        files.put(name, bytes);
    }
}

proptest! {
    #[test]
    fn whatever_was_done_and_whenever_it_ends_nothing_that_is_gone_comes_back(
        ops in prop::collection::vec(any_op(), 1..80), share in 0.0f64..1.0, seed: u64, kind in 0u8..6
    ) {
        let whole = Faulty::default();
        let keeper = Keeper::run(&whole, &ops);
        prop_assert!(keeper.is_on());
        check_restarts(&whole.after_kill(), &keeper.truth);
        let fault = match kind {
            0 => Fault::Once(ErrorKind::StorageFull),
            1 => Fault::Once(ErrorKind::Other),
            2 => Fault::Full,
            3 => Fault::Stumble(seed % 40),
            _ => Fault::Dead,
        };
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss,
            reason = "any step will do")]
        let files = Faulty::with_fault(fault, (whole.steps() as f64 * share) as u64);
        let truth = Keeper::run(&files, &ops).truth;
        check_restarts(&files.after_kill(), &truth);
        check_restarts(&files.after_power_loss(&mut Dice(seed)), &truth);
    }

    #[test]
    fn harm_to_any_one_file_brings_nothing_back_that_is_gone(
        ops in prop::collection::vec(any_op(), 1..60), harm in any_harm(), nth: usize, seed: u64
    ) {
        let files = Faulty::default();
        let keeper = Keeper::run(&files, &ops);
        for files in [files.after_kill(), files.after_power_loss(&mut Dice(seed))] {
            harm.befall(&files, nth);
            let (restored, _) = restore(&files);
            for entry in restored.values() {
 keeper.truth.check(entry);
}
        }
    }

    #[test]
    fn harm_to_all_files_is_survived_and_what_comes_back_is_as_it_was(
        ops in prop::collection::vec(any_op(), 1..60), harms in prop::collection::vec((any_harm(), any::<usize>()), 1..9)
    ) {
        let files = Faulty::default();
        let keeper = Keeper::run(&files, &ops);
        let files = files.after_kill();
        for (harm, nth) in &harms {
 harm.befall(&files, *nth);
}
        let (restored, _) = restore(&files);
        for entry in restored.values() {
 keeper.truth.check_content(entry);
}
    }
}
