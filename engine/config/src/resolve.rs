//! From what is written to what it means: defaults filled in, references followed, everything checked that a
//! schema cannot say. Never stops at a problem; with any, the settings are thrown away.

mod cache;
mod clouds;
mod embedder;
mod health;
mod keys;
mod listeners;
mod models;
mod policy;
mod providers;
mod text;
mod url;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tollgate_governance::Keyring;
use tollgate_routing::{Board, Catalog};

use crate::file::read_text;
use crate::place::Place;
use crate::raw::Config;
use crate::report::Report;
use crate::{AuthMode, Passthrough, PriceBook, Settings};

/// What resolving needs beside the document.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Where problems go.
    pub report: &'a Report<'a>,
    /// What paths are relative to.
    pub directory: &'a Path,
    /// The document's text, for the hash.
    pub text: &'a str,
    /// The catalog's epoch.
    pub epoch: u64,
    /// Where targets find their cells.
    pub board: &'a Board,
}

impl Context<'_> {
    /// A path from the document.
    fn path(&self, written: &str) -> PathBuf {
        self.directory.join(written)
    }
}

/// The settings that `config` stands for; of use only if no problem was reported. Warnings stay in the report.
pub(crate) fn resolve(context: Context<'_>, config: &Config) -> Settings {
    let mut hasher = Sha256::new_with_prefix(context.text);
    let prices = price_book(context, config, &mut hasher);
    let hash = format!("{:x}", hasher.finalize()).chars().take(16).collect();

    let providers = providers::resolve(context, config);
    let models::Open { routes, accounts } = models::resolve(context, config, &providers, &prices);
    let listed = routes.iter().map(|it| it.route.clone()).collect();
    let opened = accounts
        .iter()
        .map(|(account, it)| (*account, Arc::new(it.route.clone())));
    let catalog = Catalog::new(context.epoch, providers.values().cloned().collect(), listed)
        .with_accounts(opened.collect());
    let keys = keys::resolve(context, config, &catalog);
    let has_keys = config.keys.as_ref().is_some_and(|keys| !keys.is_empty());
    let auth = if has_keys {
        AuthMode::Keys
    } else {
        AuthMode::Anonymous
    };
    let server = listeners::server(context, config, auth);
    let admin = listeners::admin(context, config);
    let telemetry = listeners::telemetry(context, config);
    let cache = cache::resolve(context, config, &providers, &prices);
    let catalog = if context.report.has_problems() {
        catalog
    } else {
        // Not before: budgets are shared with the configuration in force.
        let routes = routes
            .into_iter()
            .map(|it| it.with_budget(context.board))
            .collect();
        let accounts = accounts
            .into_iter()
            .map(|(account, it)| (account, Arc::new(it.with_budget(context.board))))
            .collect();
        Catalog::new(context.epoch, catalog.providers().to_vec(), routes).with_accounts(accounts)
    };
    Settings {
        server,
        admin,
        telemetry,
        cache,
        passthrough: passthrough(config),
        catalog: catalog.with_models(prices.clone()),
        keyring: Keyring::new(keys),
        auth,
        prices,
        hash,
        warnings: Vec::new(),
        written: Arc::default(),
    }
}

/// The models of forms that name theirs too late.
fn passthrough(config: &Config) -> Passthrough {
    let named = |model: Option<&String>| {
        model
            .filter(|name| !name.is_empty())
            .map(|name| name.as_str().into())
    };
    let written = config.passthrough.as_ref();
    Passthrough {
        audio_model: named(written.and_then(|it| it.audio_model.as_ref())),
        image_model: named(written.and_then(|it| it.image_model.as_ref())),
    }
}

/// The shipped prices, with those of a file over them. What was read goes into the hash.
fn price_book(context: Context<'_>, config: &Config, hasher: &mut Sha256) -> Arc<PriceBook> {
    let Some(file) = config.prices.as_ref().and_then(|prices| prices.file.as_deref()) else {
        return PriceBook::shipped();
    };
    let section = Place::ROOT.key("prices");
    let place = section.key("file");
    let book = read_text(&context.path(file)).and_then(|text| {
        hasher.update(&text);
        PriceBook::from_json(&text).map_err(|error| error.to_string())
    });
    match book {
        Ok(book) => Arc::new(book),
        Err(error) => {
            context.report.problem(place, error, "a readable price catalogue");
            PriceBook::shipped()
        }
    }
}
