//! What a refusal must look like.

use tollgate_tests::Response;

/// What is expected of a refusal, whoever's dialect it is in.
pub(super) struct No {
    pub(super) status: u16,
    /// `type` in OpenAI's dialect.
    pub(super) openai: &'static str,
    /// `type` in Anthropic's.
    pub(super) anthropic: &'static str,
    /// `code` in OpenAI's dialect.
    pub(super) code: &'static str,
    /// `param` in OpenAI's dialect.
    pub(super) param: Option<&'static str>,
    /// What the message must say.
    pub(super) says: &'static [&'static str],
}

pub(super) const BAD: No = No {
    status: 400,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    code: "malformed_body",
    param: None,
    says: &["JSON"],
};

impl No {
    pub(super) fn holds(&self, path: &str, response: &Response) {
        let text = response.text();
        assert_eq!(response.status, self.status, "{path}: {text}");
        assert_eq!(
            response.header("content-type"),
            Some("application/json"),
            "{path}: {text}"
        );
        let id = response
            .header("x-request-id")
            .unwrap_or_else(|| panic!("no id, {path}: {text}"));
        let body = response.json();
        let error = &body["error"];
        if path.contains("messages") {
            assert_eq!(body["type"], "error", "{path}: {text}");
            assert_eq!(error["type"], self.anthropic, "{path}: {text}");
            assert_eq!(body["request_id"], id, "{path}: {text}");
            assert_eq!(response.header("request-id"), Some(id), "{path}: {text}");
        } else {
            assert_eq!(error["type"], self.openai, "{path}: {text}");
            assert_eq!(error["code"], self.code, "{path}: {text}");
            assert_eq!(error["param"].as_str(), self.param, "{path}: {text}");
        }
        let message = error["message"].as_str().unwrap();
        for word in self.says {
            assert!(
                message.contains(word),
                "{path}: '{message}' does not say '{word}'"
            );
        }
    }
}
