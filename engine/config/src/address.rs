//! Where clouds put their models: addresses that follow from a region's name.

/// Bedrock's endpoint in a region.
pub(crate) fn bedrock(region: &str) -> String {
    format!("https://bedrock-runtime.{region}.amazonaws.com")
}

/// A project's place at Vertex AI. The location `global` has no host of its own; those of several regions, `us` and
/// `eu`, have their names elsewhere in it.
pub(crate) fn vertex(project: &str, location: &str) -> String {
    let host = match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        _ => format!("{location}-aiplatform.googleapis.com"),
    };
    format!("https://{host}/v1/projects/{project}/locations/{location}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn vertex_has_a_host_for_each_location() {
        assert_eq!(
            super::vertex("p", "europe-west4"),
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4"
        );
        assert_eq!(
            super::vertex("p", "global"),
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global"
        );
        assert_eq!(
            super::vertex("p", "eu"),
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu"
        );
    }
}
