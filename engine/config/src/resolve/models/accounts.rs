//! What providers keep for their accounts: files, batches and responses, each a route of its own at each provider.

use std::collections::HashSet;
use std::sync::Arc;

use tollgate_core::{Account, ProviderKind, Surface, Through};
use tollgate_routing::Route;

use super::targets::Targets;
use super::{Context, Resolved, policy};
use crate::place::Place;
use crate::raw::{Config, Model};

/// The routes of all accounts that are open, those of one kind in the order of the file.
pub(super) fn resolve(
    context: Context<'_>,
    config: &Config,
    targets: &mut Targets<'_>,
) -> Vec<(Account, Resolved)> {
    let Some(written) = &config.passthrough else {
        return Vec::new();
    };
    let section = Place::ROOT.key("passthrough");
    let mut opened = Vec::new();
    for account in Account::ALL {
        let names = match account {
            Account::Files => &written.files,
            Account::Batches => &written.batches,
            Account::Responses => &written.responses,
        };
        let list = section.key(account.name());
        let mut seen = HashSet::new();
        for (index, name) in names.iter().flatten().enumerate() {
            let Some(name) = name else { continue };
            let place = list.item(index);
            if !seen.insert(name) {
                let found = format!("{} a second time", context.report.named(place, name));
                context.report.problem(place, found, "each provider once");
                continue;
            }
            let route = open(context, targets, account, name, place);
            opened.extend(route.map(|route| (account, route)));
        }
    }
    opened
}

fn open(
    context: Context<'_>,
    targets: &mut Targets<'_>,
    account: Account,
    name: &str,
    place: Place<'_>,
) -> Option<Resolved> {
    let target = targets.account(name, account, place)?;
    let kind = target.target.provider.kind;
    if !keeps(kind, account) {
        let found = format!(
            "{}, of kind {kind}, which keeps none",
            context.report.named(place, name)
        );
        let able: Vec<_> = ProviderKind::ALL
            .into_iter()
            .filter(|kind| keeps(*kind, account))
            .map(ProviderKind::name)
            .collect();
        let expected = format!("a provider of kind {}", able.join(", "));
        context.report.problem(place, found, expected);
        return None;
    }
    let silent = Model::default();
    let route: Arc<str> = format!("{name}/{}", account.name()).into();
    let route = Route::new(&route, vec![target])?;
    Some(Resolved {
        route: Route {
            policy: policy::policy(context, &silent, Place::ROOT),
            limits: policy::limits(context, &silent, Place::ROOT),
            ..route
        },
        retry: policy::retry_limits(context, &silent, Place::ROOT),
    })
}

/// Whether providers of this kind keep such things, and are asked in a dialect that clients have for them.
fn keeps(kind: ProviderKind, account: Account) -> bool {
    let serves = |through| kind.serves(Surface::Through(through));
    match account {
        Account::Files | Account::Batches => serves(Through::Files) || serves(Through::AnthropicFiles),
        Account::Responses => serves(Through::StoredResponses),
    }
}
