//! Identities at clouds, as they are written in the file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretText;

/// An identity at AWS. Without keys and without a profile it is the one that AWS's own tools would find: in the environment, in `~/.aws`, by web identity, from the container or the instance.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aws {
    /// A profile of `~/.aws/config` and `~/.aws/credentials`, also one that assumes a role, asks a process or signs in by SSO.
    pub profile: Option<String>,
    /// An access key, instead of `profile`.
    pub access_key_id: Option<SecretText>,
    /// The secret that belongs to it.
    pub secret_access_key: Option<SecretText>,
    /// The session token that belongs to it, where it is a temporary one.
    pub session_token: Option<SecretText>,
    /// A role to be assumed with these: `arn:aws:iam::123456789012:role/NAME`.
    pub role_arn: Option<String>,
    /// What the role's owner wants to be told.
    pub external_id: Option<SecretText>,
    /// The name of the session in AWS's logs.
    #[schemars(extend("default" = "tollgate"))]
    pub role_session_name: Option<String>,
    /// The region that requests are signed for. Default: as the host of `base_url` says, else `region`.
    pub region: Option<String>,
}

/// An identity at Google. Without a file it is the one that Google's own tools would find: by `GOOGLE_APPLICATION_CREDENTIALS`, of `gcloud auth application-default login`, from the machine.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Google {
    /// A file with credentials of a service account, a user, or a federated workload (relative to the config file).
    pub credentials_file: Option<String>,
    /// The text of such a file, usually `${SOME_VARIABLE}`; instead of `credentials_file`.
    pub credentials: Option<SecretText>,
}
