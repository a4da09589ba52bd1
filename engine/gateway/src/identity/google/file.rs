//! Google's files of credentials: where they are, and what they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where `gcloud auth application-default login` puts its file, in the folder of gcloud's configuration.
pub(super) const WELL_KNOWN: &str = "application_default_credentials.json";

/// A file of this size is none of credentials.
const MOST_BYTES: u64 = 1 << 20;

/// A file of credentials.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum KeyFile {
    ServiceAccount(ServiceAccount),
    AuthorizedUser(User),
    ExternalAccount(Federation),
    ImpersonatedServiceAccount(Impersonation),
}

/// A service account and its private key.
#[derive(Deserialize)]
pub(super) struct ServiceAccount {
    pub(super) client_email: String,
    /// PEM.
    pub(super) private_key: String,
    pub(super) private_key_id: Option<String>,
    pub(super) token_uri: Option<String>,
}

/// A user who has signed in.
#[derive(Deserialize)]
pub(super) struct User {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) refresh_token: String,
    pub(super) token_uri: Option<String>,
}

/// A workload elsewhere, whose token from there Google takes.
#[derive(Deserialize)]
pub(super) struct Federation {
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) token_url: String,
    pub(super) credential_source: Subject,
    pub(super) service_account_impersonation_url: Option<String>,
}

/// Where the token from elsewhere is.
#[derive(Deserialize)]
#[serde(from = "Source")]
pub(super) enum Subject {
    File {
        file: PathBuf,
        format: Format,
    },
    Url {
        url: String,
        headers: BTreeMap<String, String>,
        format: Format,
    },
    /// A way that is not supported.
    Other(Unsupported),
}

/// What it would have to be asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsupported {
    AwsMachine,
    Program,
    Unknown,
}

impl Unsupported {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AwsMachine => "the identity of an AWS machine",
            Self::Program => "a program",
            Self::Unknown => "what the file says",
        }
    }
}

#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: Format,
    environment_id: Option<String>,
    executable: Option<serde::de::IgnoredAny>,
}

/// How the token is written there.
#[derive(Deserialize, Default)]
pub(super) struct Format {
    r#type: Option<String>,
    subject_token_field_name: Option<String>,
}

/// A service account whose tokens somebody else may have.
#[derive(Deserialize)]
pub(super) struct Impersonation {
    pub(super) service_account_impersonation_url: String,
    pub(super) source_credentials: Box<KeyFile>,
    #[serde(default)]
    pub(super) delegates: Vec<String>,
}

impl KeyFile {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it. Of its text, nothing is said.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let found: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| format!("the credentials are no JSON (line {})", error.line()))?;
        let kind = found
            .get("type")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        let known = [
            "service_account",
            "authorized_user",
            "external_account",
            "impersonated_service_account",
        ];
        if !known.contains(&kind) {
            return Err(format!(
                "the credentials are of no known type: known are {}",
                known.join(", ")
            ));
        }
        let kind = kind.to_owned();
        // What serde says of a missing field names it; of a value it could repeat it.
        serde_json::from_value(found).map_err(|error| {
            let said = error.to_string();
            let missing = said
                .split(" at line")
                .next()
                .filter(|it| it.starts_with("missing field"));
            format!(
                "the credentials of type {kind}: {}",
                missing.unwrap_or("a field of the wrong type")
            )
        })
    }
}

impl Format {
    /// The field that holds the token; `None`: it is all that there is.
    pub(super) fn field(&self) -> Option<&str> {
        match self.r#type.as_deref() {
            Some("json") => Some(self.subject_token_field_name.as_deref().unwrap_or("access_token")),
            _ => None,
        }
    }
}

impl From<Source> for Subject {
    fn from(source: Source) -> Self {
        let Source {
            file,
            url,
            headers,
            format,
            environment_id,
            executable,
        } = source;
        match (environment_id, executable, file, url) {
            (Some(_), ..) => Self::Other(Unsupported::AwsMachine),
            (None, Some(_), ..) => Self::Other(Unsupported::Program),
            (None, None, Some(file), _) => Self::File { file, format },
            (None, None, None, Some(url)) => Self::Url { url, headers, format },
            (None, None, None, None) => Self::Other(Unsupported::Unknown),
        }
    }
}

/// The file that Google's own tools would take; `None`: there is none.
///
/// # Errors
/// It is named by the environment, and is not there.
pub(super) fn usual() -> Result<Option<PathBuf>, String> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") {
        return if path.is_file() {
            Ok(Some(path))
        } else {
            Err(format!(
                "GOOGLE_APPLICATION_CREDENTIALS: {} is no file",
                path.display()
            ))
        };
    }
    let folder = variable("CLOUDSDK_CONFIG").or_else(|| Some(variable("HOME")?.join(".config/gcloud")));
    Ok(folder
        .map(|folder| folder.join(WELL_KNOWN))
        .filter(|path| path.is_file()))
}

/// The text of a file.
///
/// # Errors
/// It cannot be read.
pub(super) async fn read(path: &Path) -> Result<String, String> {
    let place = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let size = std::fs::metadata(&place)?.len();
        if size > MOST_BYTES {
            return Err(std::io::Error::other("it is too large"));
        }
        std::fs::read_to_string(&place)
    });
    let read = read
        .await
        .unwrap_or_else(|_| Err(std::io::Error::other("the reader died")));
    read.map_err(|error| format!("{}: {error}", path.display()))
}
