//! Where the bytes of an image or document are, and data URLs.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::write::Object;

/// Where the bytes of an image or document are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    Base64 {
        media_type: Cow<'a, str>,
        data: Cow<'a, str>,
    },
    Url(Cow<'a, str>),
    /// A document that is plain text.
    Text(Cow<'a, str>),
    /// The id of a file that was uploaded to the provider.
    File(Cow<'a, str>),
}

impl<'a> Source<'a> {
    /// Of a URL that may be a data URL. Text in data URLs that is not base64 is not decoded.
    pub(crate) fn of_url(url: Cow<'a, str>) -> Self {
        match data_url(&url) {
            Some((media_type, data)) => {
                let data = data.to_owned().into();
                Self::Base64 {
                    media_type: media_type.into(),
                    data,
                }
            }
            None => Self::Url(url),
        }
    }

    /// Of base64 data of a media type; text is decoded.
    pub(crate) fn of_document(self) -> Self {
        match self {
            Self::Base64 { media_type, data } if media_type.starts_with("text/") => match decoded_text(&data)
            {
                Some(text) => Self::Text(text.into()),
                None => Self::Base64 { media_type, data },
            },
            other => other,
        }
    }
}

/// Media type (normalised) and data of a base64 data URL.
fn data_url(url: &str) -> Option<(String, &str)> {
    let scheme = url.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let (head, data) = url.get(5..)?.split_once(',')?;
    let is_base64 = head.rsplit(';').next()?.trim().eq_ignore_ascii_case("base64");
    is_base64.then(|| {
        (
            normalised(head.split(';').next().unwrap_or_default()),
            data.trim(),
        )
    })
}

/// Writes an image as OpenAI and Cohere name it.
pub(crate) fn write_image(o: &mut Object<'_>, source: &Source<'_>, detail: Option<&str>) {
    o.text("type", "image_url").object("image_url", |o| {
        match source {
            Source::Base64 { media_type, data } => {
                o.text("url", &format!("data:{media_type};base64,{data}"));
            }
            Source::Url(url) | Source::Text(url) | Source::File(url) => o.text("url", url).end(),
        }
        if let Some(detail) = detail {
            o.text("detail", detail);
        }
    });
}

/// A media type without parameters, in lower case, under its registered name.
pub(crate) fn normalised(media_type: &str) -> String {
    let bare = media_type.split(';').next().unwrap_or_default();
    let bare = bare.trim().to_ascii_lowercase();
    match bare.as_str() {
        "image/jpg" | "image/pjpeg" => "image/jpeg".to_owned(),
        "image/x-png" => "image/png".to_owned(),
        "application/x-pdf" => "application/pdf".to_owned(),
        "" => "application/octet-stream".to_owned(),
        _ => bare,
    }
}

fn decoded_text(data: &str) -> Option<String> {
    let bytes = STANDARD
        .decode(data)
        .or_else(|_| STANDARD_NO_PAD.decode(data))
        .ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn data_urls_are_read_whatever_their_case_and_parameters() {
        let read = |url: &'static str| match Source::of_url(url.into()) {
            Source::Base64 { media_type, data } => format!("{media_type} {data}"),
            Source::Url(url) => format!("url {url}"),
            _ => unreachable!("not made of URLs"),
        };
        assert_eq!(read("data:image/PNG;base64,AAAA"), "image/png AAAA");
        assert_eq!(
            read("DATA:image/jpg;charset=utf-8;Base64,AA=="),
            "image/jpeg AA=="
        );
        assert_eq!(read("data:;base64,AA=="), "application/octet-stream AA==");
        assert_eq!(read("data:image/svg+xml,<svg/>"), "url data:image/svg+xml,<svg/>");
        assert_eq!(read("https://x/y,z"), "url https://x/y,z");
    }

    #[test]
    fn documents_of_text_are_decoded() {
        let source = Source::of_url("data:text/plain;charset=utf-8;base64,aMOk".into()).of_document();
        assert_eq!(source, Source::Text("hä".into()));
        let broken = Source::of_url("data:text/plain;base64,!!".into()).of_document();
        assert!(matches!(broken, Source::Base64 { .. }));
    }

    proptest! {
        #[test]
        fn any_text_is_some_source(url: String) {
            let _ = Source::of_url(url.into()).of_document();
        }
    }
}
