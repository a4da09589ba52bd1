//! The cache's part of the API where nothing is cached yet: documents, comparisons, refusals. What is cached is looked
//! at end to end.

use serde_json::{Value, json};

use super::schema::Schemas;
use super::stack::Stack;
use super::{document, refused};

#[test]
fn an_empty_cache_and_a_comparison_are_as_the_document_says() {
    let stack = Stack::start();
    let schemas = Schemas(document());
    for (path, schema) in [
        ("/admin/v1/cache", "Cache"),
        (
            "/admin/v1/cache/entries?route=quick&tenant=x&tag=y&sort=hits&limit=5",
            "CacheEntryList",
        ),
    ] {
        let (status, body) = stack.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        assert_eq!(schemas.faults(schema, &body), Vec::<String>::new(), "{body:#}");
    }
    assert_eq!(
        stack.get("/admin/v1/cache").1["compares_by_meaning"],
        false,
        "nobody has asked for it"
    );
    let compare = |first: &str, second: &str| {
        let body = json!({"first": first, "second": second});
        let (status, body) = stack.send("POST", "/admin/v1/cache/explain", &body);
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            schemas.faults("CacheComparison", &body),
            Vec::<String>::new(),
            "{body:#}"
        );
        body
    };
    let other = compare("Who wrote Emma in 1815?", "Who wrote Emma in 1816?");
    assert_eq!(
        (&other["guard"], &other["modes"]["aggressive"]["same"]),
        (&json!("number"), &json!(false))
    );
    let fired: Vec<&Value> = other["fired"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["guard"])
        .collect();
    assert!(fired.contains(&&json!("number")), "{other:#}");
    assert_eq!(
        other["modes"]["safe"]["threshold"],
        other["modes"]["safe"]["shipped"]
    );
    let far = compare("Who wrote Emma in 1815?", "How do I reset my password?");
    assert_eq!(
        (&far["far_apart"], &other["far_apart"]),
        (&json!(true), &json!(false))
    );
    let same = compare("How do I reset my password?", "how do i reset my password");
    assert!(same["score"].as_f64().unwrap() > 0.9, "{same:#}");
    assert_eq!(
        compare("\u{0}\u{200b}", "x".repeat(9_000).as_str())["modes"]["safe"]["same"],
        false
    );
    assert_eq!(stack.get("/admin/v1/cache").1["compares_by_meaning"], true);
}

#[test]
fn what_cannot_be_compared_is_refused_with_where_and_how() {
    let explain = "/admin/v1/cache/explain";
    let long = "x".repeat(20_000);
    refused(
        &Stack::start(),
        &[
            ("POST", explain, json!({"first": "a"}), 400, "second"),
            (
                "POST",
                explain,
                json!({"first": " ", "second": "a"}),
                400,
                "first",
            ),
            ("POST", explain, json!({"first": 1, "second": "a"}), 400, "first"),
            (
                "POST",
                explain,
                json!({"first": long, "second": "a"}),
                400,
                "first",
            ),
            (
                "POST",
                explain,
                json!({"first": "a", "second": "b", "third": "c"}),
                400,
                "third",
            ),
            (
                "POST",
                explain,
                json!({"first": "a", "second": "b", "tenant": "c"}),
                400,
                "tenant",
            ),
            (
                "POST",
                explain,
                json!({"first": "a", "second": "b", "route": "nowhere", "tenant": "c"}),
                400,
                "route",
            ),
            (
                "POST",
                explain,
                json!({"first": "a", "second": "b", "route": 1}),
                400,
                "route",
            ),
        ],
    );
}

#[test]
fn what_cannot_be_listed_or_invalidated_is_refused_with_where_and_how() {
    let invalidate = "/admin/v1/cache/invalidate";
    refused(
        &Stack::start(),
        &[
            (
                "GET",
                "/admin/v1/cache/entries?sort=colour",
                json!({}),
                400,
                "query.sort",
            ),
            (
                "GET",
                "/admin/v1/cache/entries?limit=0",
                json!({}),
                400,
                "query.limit",
            ),
            ("GET", "/admin/v1/cache/entries/1", json!({}), 404, ""),
            ("GET", "/admin/v1/cache/entries/-1", json!({}), 400, ""),
            ("GET", "/admin/v1/cache/entries/1/2", json!({}), 404, ""),
            ("POST", invalidate, json!({}), 400, ""),
            ("POST", invalidate, json!({"reason": "just so"}), 400, ""),
            ("POST", invalidate, json!({"entry": 1}), 404, ""),
            ("POST", invalidate, json!({"entry": -1}), 400, "entry"),
            (
                "POST",
                invalidate,
                json!({"entry": 1, "route": "fast"}),
                400,
                "route",
            ),
            ("POST", invalidate, json!({"all": false}), 400, "all"),
            ("POST", invalidate, json!({"all": true, "tag": "x"}), 400, "tag"),
            ("POST", invalidate, json!({"route": ""}), 400, "route"),
            ("POST", invalidate, json!({"tag": 5}), 400, "tag"),
            (
                "POST",
                invalidate,
                json!({"older_than": "soon"}),
                400,
                "older_than",
            ),
            ("POST", invalidate, json!({"older_than": 5}), 400, "older_than"),
            ("POST", invalidate, json!({"rout": "fast"}), 400, "rout"),
            ("DELETE", "/admin/v1/cache", json!({}), 405, ""),
        ],
    );
}
