//! The listeners, what is recorded, and how the process ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::Context;
use super::keys::SHORTEST_KEY;
use crate::place::Place;
use crate::raw::{self, Config, SizeText};
use crate::settings::{AccessLog, Admin, AuthMode, Decisions, Drain, Server, Telemetry, Tls};
use crate::units;

const PORT: u16 = 8080;
const ADMIN_PORT: u16 = 8081;
const BODY_LIMIT: Size = Size {
    default: 32 << 20,
    most: 1 << 30,
    expected: "a size from 1KiB to 1GiB such as \"32MiB\"",
};
const UPLOAD_LIMIT: Size = Size {
    default: 512 << 20,
    most: 1 << 40,
    expected: "a size from 1KiB to 1024GiB such as \"512MiB\"",
};
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const CLIENT_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const KEPT_DECISIONS: usize = 1024;

/// The listener for clients. Without keys it must be a loopback address, unless that is asked for in so many
/// words.
pub(super) fn server(context: Context<'_>, config: &Config, auth: AuthMode) -> Server {
    let section = Place::ROOT.key("server");
    let none = raw::Server::default();
    let written = config.server.as_ref().unwrap_or(&none);
    let default = match auth {
        AuthMode::Keys => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), PORT),
        AuthMode::Anonymous => loopback(PORT),
    };
    let place = section.key("listen");
    let listen = address(context, written.listen.as_deref(), place, default);
    let is_open = auth == AuthMode::Anonymous && !listen.ip().is_loopback();
    if is_open && written.allow_anonymous != Some(true) && !context.report.is_broken(Place::ROOT.key("keys"))
    {
        let expected = "keys, or a loopback address such as 127.0.0.1:8080";
        let hint = "server.allow_anonymous: true lets everybody in";
        context
            .report
            .problem_with_hint(place, format!("{listen} without any keys"), expected, hint);
    }
    Server {
        listen,
        body_limit_bytes: size(
            context,
            written.body_limit.as_ref(),
            section.key("body_limit"),
            BODY_LIMIT,
        ),
        upload_limit_bytes: size(
            context,
            written.upload_limit.as_ref(),
            section.key("upload_limit"),
            UPLOAD_LIMIT,
        ),
        workers: written.workers,
        tls: written
            .tls
            .as_ref()
            .and_then(|tls| self::tls(context, tls, section.key("tls"))),
        keep_alive: context.duration(written.keep_alive.as_ref(), section.key("keep_alive"), KEEP_ALIVE),
        client_request_timeout: context.duration(
            written.client_request_timeout.as_ref(),
            section.key("client_request_timeout"),
            CLIENT_REQUEST_TIMEOUT,
        ),
        drain: drain(context, written.drain.as_ref(), section.key("drain")),
    }
}

/// The listener for operators. Without a key it must be a loopback address.
pub(super) fn admin(context: Context<'_>, config: &Config) -> Admin {
    let section = Place::ROOT.key("admin");
    let written = config.admin.as_ref();
    let place = section.key("listen");
    let text = written.and_then(|it| it.listen.as_deref());
    let listen = address(context, text, place, loopback(ADMIN_PORT));
    let key = written.and_then(|it| it.key.as_ref());
    if key.is_none() && !listen.ip().is_loopback() && !context.report.is_broken(section.key("key")) {
        let expected = "admin.key, or a loopback address such as 127.0.0.1:8081";
        context
            .report
            .problem(place, format!("{listen} without admin.key"), expected);
    }
    let data = config.server.as_ref().and_then(|it| it.listen.as_deref());
    if listen.port() != 0 && text.is_some() && text == data {
        context
            .report
            .problem(place, "the address of server.listen", "another port");
    }
    Admin {
        listen,
        key: key.and_then(|key| context.secret(key, section.key("key"), SHORTEST_KEY)),
        state_file: written
            .and_then(|it| it.state.as_deref())
            .map(|path| file(context, path, section.key("state"))),
    }
}

/// What is recorded of requests.
pub(super) fn telemetry(context: Context<'_>, config: &Config) -> Telemetry {
    let section = Place::ROOT.key("telemetry");
    let written = config.telemetry.as_ref().and_then(|it| it.access_log.as_deref());
    let access_log = match written {
        None | Some("stdout") => AccessLog::Stdout,
        Some("off") => AccessLog::Off,
        Some("") => {
            context.report.problem(
                section.key("access_log"),
                "empty",
                "stdout, off or the path of a file",
            );
            AccessLog::Off
        }
        Some(path) => AccessLog::File(context.path(path)),
    };
    let none = raw::Decisions::default();
    let decisions = config.telemetry.as_ref().and_then(|it| it.decisions.as_ref());
    let decisions = decisions.unwrap_or(&none);
    let place = section.key("decisions");
    let journal = decisions.journal.as_deref();
    let journal = journal.map(|path| file(context, path, place.key("journal")));
    if let (AccessLog::File(log), Some(journal)) = (&access_log, &journal)
        && log == journal
    {
        let found = "the file of the access log";
        context
            .report
            .problem(place.key("journal"), found, "a file of its own");
    }
    Telemetry {
        access_log,
        decisions: Decisions {
            keep: decisions.keep.unwrap_or(KEPT_DECISIONS),
            journal,
            sample: context.share(decisions.sample.as_ref(), place.key("sample"), 1.0, 0.01),
        },
    }
}

/// The path of a file that is written.
fn file(context: Context<'_>, written: &str, place: Place<'_>) -> PathBuf {
    if written.trim().is_empty() {
        context.report.problem(place, "empty", "the path of a file");
    }
    context.path(written)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn address(context: Context<'_>, written: Option<&str>, place: Place<'_>, default: SocketAddr) -> SocketAddr {
    let Some(text) = written else { return default };
    let local = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    local.as_deref().unwrap_or(text).parse().unwrap_or_else(|_| {
        let expected = "an IP address and a port such as \"127.0.0.1:8080\" or \"[::]:8080\"";
        context
            .report
            .problem(place, context.report.quoted(place, text), expected);
        default
    })
}

/// What a size may be, bytes.
#[derive(Clone, Copy)]
struct Size {
    default: usize,
    most: u64,
    expected: &'static str,
}

fn size(context: Context<'_>, written: Option<&SizeText>, place: Place<'_>, limits: Size) -> usize {
    let Some(SizeText(text)) = written else {
        return limits.default;
    };
    let size = units::size_bytes(text).filter(|size| (1 << 10..=limits.most).contains(size));
    size.and_then(|size| usize::try_from(size).ok())
        .unwrap_or_else(|| {
            let found = context.report.quoted(place, text);
            context.report.problem(place, found, limits.expected);
            limits.default
        })
}

fn tls(context: Context<'_>, written: &raw::Tls, place: Place<'_>) -> Option<Tls> {
    let file = |written: Option<&String>, key| -> Option<PathBuf> {
        let path = context.path(written?);
        if !path.is_file() {
            context
                .report
                .problem(place.key(key), "no such file", "the path of a PEM file");
        }
        Some(path)
    };
    let cert_file = file(written.cert_file.as_ref(), "cert_file");
    let key_file = file(written.key_file.as_ref(), "key_file");
    Some(Tls {
        cert_file: cert_file?,
        key_file: key_file?,
    })
}

fn drain(context: Context<'_>, written: Option<&raw::Drain>, place: Place<'_>) -> Drain {
    let delay = written.and_then(|it| it.delay.as_ref());
    let timeout = written.and_then(|it| it.timeout.as_ref());
    Drain {
        delay: context.duration_or_zero(delay, place.key("delay"), Duration::ZERO),
        timeout: context.duration_or_zero(timeout, place.key("timeout"), DRAIN_TIMEOUT),
    }
}
