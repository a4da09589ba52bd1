//! Keys from AWS: where AWS's own tools look for them, by AWS's own library, over our own connections.
//!
//! Everything is looked up anew each time, so that files that have changed are read again. Keeping keys and renewing
//! them in time is the keeper's business: the library's caches are not used.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::Full;
use tollgate_core::{Secret, Timestamp};
use tollgate_routing::{AwsIdentity, AwsRole, AwsSource, Minted, MintedKey};

use super::with_causes;
use crate::upstream::{Connector, Limits, exchange};

/// Where a source says nothing else.
const USUAL: Limits = Limits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(10),
};

/// Asks for keys.
///
/// # Errors
/// What was tried, and what became of it.
pub(super) async fn mint(identity: &AwsIdentity, connector: &Arc<Connector>) -> Result<Minted, String> {
    let way = Way {
        connector: connector.clone(),
        limits: USUAL,
    };
    let region = Region::new(identity.region.to_string());
    let config = ProviderConfig::without_region()
        .with_region(Some(region.clone()))
        .with_http_client(way.clone());
    let source = match &identity.source {
        AwsSource::Usual => {
            let chain = DefaultCredentialsChain::builder().region(region.clone());
            SharedCredentialsProvider::new(chain.configure(config).build().await)
        }
        AwsSource::Profile(profile) => SharedCredentialsProvider::new(
            ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(&**profile)
                .build(),
        ),
        AwsSource::Written {
            access_key_id,
            secret_access_key,
            session_token,
        } => SharedCredentialsProvider::new(Credentials::new(
            access_key_id.expose(),
            secret_access_key.expose(),
            session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "tollgate",
        )),
    };
    let given = match &identity.role {
        None => source.provide_credentials().await,
        Some(role) => {
            assume(role, source, region, way)
                .await
                .provide_credentials()
                .await
        }
    };
    given
        .map(|credentials| minted(&credentials))
        .map_err(|error| with_causes(&error))
}

async fn assume(
    role: &AwsRole,
    source: SharedCredentialsProvider,
    region: Region,
    way: Way,
) -> AssumeRoleProvider {
    // Reads AWS's environment and files: an endpoint of one's own for the token service, FIPS.
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .http_client(way)
        .no_credentials()
        .load()
        .await;
    let mut builder = AssumeRoleProvider::builder(&*role.arn)
        .configure(&config)
        .session_name(&*role.session_name);
    if let Some(id) = &role.external_id {
        builder = builder.external_id(id.expose());
    }
    builder.build_from_provider(source).await
}

fn minted(credentials: &Credentials) -> Minted {
    let millis = |at: SystemTime| {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    };
    Minted {
        key: MintedKey::Aws {
            access_key_id: Secret::new(credentials.access_key_id()),
            secret_access_key: Secret::new(credentials.secret_access_key()),
            session_token: credentials.session_token().map(Secret::new),
        },
        expires_at: credentials.expiry().map(millis),
    }
}

/// Our connections, as AWS's library wants them.
#[derive(Clone)]
struct Way {
    connector: Arc<Connector>,
    limits: Limits,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl HttpClient for Way {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let limits = Limits {
            connect: settings.connect_timeout().unwrap_or(self.limits.connect),
            answer: settings.read_timeout().unwrap_or(self.limits.answer),
        };
        SharedHttpConnector::new(Self {
            connector: self.connector.clone(),
            limits,
        })
    }
}

impl HttpConnector for Way {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let way = self.clone();
        HttpConnectorFuture::new(async move { way.send(request).await })
    }
}

impl Way {
    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let user = |error: String| ConnectorError::user(error.into());
        let (head, body) = request
            .try_into_http1x()
            .map_err(|error| user(error.to_string()))?
            .into_parts();
        let bytes = body
            .bytes()
            .ok_or_else(|| user("a body that is a stream".to_owned()))?;
        let request = http::Request::from_parts(head, Full::new(Bytes::copy_from_slice(bytes)));
        let answer = exchange(&self.connector, request, self.limits)
            .await
            .map_err(|error| {
                if error.is_timeout() {
                    ConnectorError::timeout(error.into())
                } else {
                    ConnectorError::io(error.into())
                }
            })?;
        HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|error| user(error.to_string()))
    }
}
