//! Forms in one piece, in many, and in the ways in which others might read them.

use super::*;
use proptest::prelude::*;

const TYPE: &str = "multipart/form-data; boundary=xx";

fn part(name: &str, value: &str) -> String {
    format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &str) -> String {
    format!(
        "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.mp3\"\r\n\
         Content-Type: audio/mpeg\r\n\r\n{content}\r\n"
    )
}

/// What goes on of `form`, cut into pieces of `size`, and the model that was found.
fn scan(form: &str, size: usize, wanted: ModelField) -> Result<(String, Option<String>), Refusal> {
    let mut scan = FormScan::new(TYPE, wanted)?;
    let mut out = Vec::new();
    for piece in form.as_bytes().chunks(size) {
        scan.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    scan.finish()?;
    let text = String::from_utf8(out.concat()).unwrap();
    Ok((text, scan.model().map(str::to_owned)))
}

fn replace(named: &str, target: &str, absent: Absent) -> ModelField {
    ModelField::Replace {
        named: named.into(),
        target: target.into(),
        absent,
    }
}

#[test]
fn the_model_is_found_wherever_it_stands_and_however_the_form_is_cut() {
    let late = file("\r\n--x not yet\r\n") + &part("model", "whisper-1") + "--xx--\r\n";
    let early = part("model", "whisper-1") + &file("sound") + "--xx--\r\n";
    for form in [late, early] {
        for size in [1, 2, 3, 7, 1000] {
            let (text, model) = scan(&form, size, ModelField::Read).unwrap();
            assert_eq!(
                (text, model.as_deref()),
                (form.clone(), Some("whisper-1")),
                "{size}"
            );
        }
    }
}

#[test]
fn the_model_is_replaced_and_nothing_else_changes() {
    let form = file("model") + &part("model", "stt") + &part("prompt", "stt") + "--xx--\r\n";
    for size in [1, 5, 1000] {
        let wanted = replace("stt", "whisper-large", Absent::Refused);
        let (text, _) = scan(&form, size, wanted).unwrap();
        let expected =
            file("model") + &part("model", "whisper-large") + &part("prompt", "stt") + "--xx--\r\n";
        assert_eq!(text, expected);
    }
}

#[test]
fn a_form_without_a_model_is_given_one_or_refused() {
    let form = file("picture") + "--xx--\r\n";
    let (text, _) = scan(&form, 9, replace("dall-e-2", "d2", Absent::Added)).unwrap();
    let expected = file("picture") + &part("model", "d2") + "--xx--\r\n";
    assert_eq!(text.to_ascii_lowercase(), expected.to_ascii_lowercase());
    let scanned = FormScan::new(TYPE, ModelField::Read).unwrap();
    assert_eq!(text.len(), form.len() + scanned.added_len("d2"));
    let refused = scan(&form, 9, replace("a", "b", Absent::Refused)).unwrap_err();
    assert_eq!(
        (refused.kind, refused.param.as_deref()),
        (RefusalKind::InvalidField, Some("model"))
    );
}

#[test]
fn what_others_might_read_otherwise_is_refused() {
    let whole = |parts: &str| parts.to_owned() + "--xx--\r\n";
    let cases = [
        ("twice", whole(&(part("model", "a") + &part("model", "b")))),
        (
            "lone line feed",
            whole(&(part("model", "a") + &file("x\n--xx\r\n"))),
        ),
        (
            "no header",
            whole("--xx\r\nContent-Disposition: form-data;\r\n name=\"model\"\r\n\r\na\r\n"),
        ),
        (
            "two content-dispositions",
            whole(
                "--xx\r\nContent-Disposition: form-data; name=\"x\"\r\n\
                 content-disposition: form-data; name=\"model\"\r\n\r\na\r\n",
            ),
        ),
        (
            "no name",
            whole("--xx\r\nContent-Disposition: form-data; name=\"x\"; name=\"model\"\r\n\r\na\r\n"),
        ),
        ("no name", whole("--xx\r\nContent-Type: text/plain\r\n\r\na\r\n")),
        ("not begin", whole("--yy\r\n")),
        ("something else", whole("--xxmodel\r\n")),
        ("closing", part("model", "a")),
        ("longer than 512", whole(&part("model", &"m".repeat(2000)))),
        ("not the name", whole(&part("model", "  "))),
        ("not the name", whole(&part("model", "a\r\nb"))),
        (
            "longer than 8192",
            format!("--xx\r\nContent-Disposition: {}", "x".repeat(9000)),
        ),
    ];
    for (says, form) in cases {
        for size in [1, 4, 4000] {
            let refusal = scan(&form, size, ModelField::Read).unwrap_err();
            assert!(refusal.message.contains(says), "{says}: {}", refusal.message);
        }
    }
    let late = file("x") + &part("model", "dear") + "--xx--\r\n";
    let refusal = scan(&late, 3, replace("cheap", "cheap-1", Absent::Refused)).unwrap_err();
    assert!(refusal.message.contains("'dear'") && refusal.message.contains("x-tollgate-model"));
}

#[test]
fn names_are_read_quoted_escaped_and_bare() {
    let named = |disposition: &str| field_name(&format!("Content-Disposition: {disposition}")).ok();
    assert_eq!(named("form-data; name=model").as_deref(), Some("model"));
    assert_eq!(
        named("form-data; filename=\"a\\\";b\"; name=\"mo\\del\";").as_deref(),
        Some("model")
    );
    for none in [
        "form-data; name=x; name*=utf-8''model",
        "form-data; name*0=mod; name*1=el",
    ] {
        assert_eq!(named(none), None, "{none}");
    }
    assert_eq!(
        named("form-data; filename*=utf-8''a; name=x").as_deref(),
        Some("x")
    );
    assert_eq!(named("form-data"), None);
    assert_eq!(named("form-data; name=\"x"), None);
}

#[test]
fn boundaries_are_read_as_clients_write_them() {
    let read = |text| boundary(text).map(str::to_owned);
    assert_eq!(read("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
    assert_eq!(
        read("Multipart/Form-Data; charset=utf-8; Boundary=\"a:b\"").as_deref(),
        Some("a:b")
    );
    for none in [
        "multipart/form-data",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary*=utf-8''a",
        "multipart/form-data; boundary=",
        "text/plain; boundary=a",
    ] {
        assert_eq!(read(none), None, "{none}");
    }
}

/// A file that holds the boundary begins another part, whose head is not over when the form is.
#[test]
fn a_form_that_ends_in_the_head_of_a_part_is_refused() {
    let form = file("\r\n--xx\r\n") + "--xx--\r\n";
    for size in [1, 7, form.len()] {
        let refusal = scan(&form, size, ModelField::Read).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::MalformedBody);
    }
}

proptest! {
    #[test]
    fn any_bytes_pass_unchanged_or_are_refused(
        content in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'x'), any::<u8>()], 0..200),
        size in 1usize..40,
    ) {
        let mut form = b"--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n".to_vec();
        form.extend_from_slice(&content);
        form.extend_from_slice(b"\r\n--xx--\r\n");
        let mut scan = FormScan::new(TYPE, ModelField::Read).unwrap();
        let mut out = Vec::new();
        let mut refused = false;
        for piece in form.chunks(size) {
            refused |= scan.push(Bytes::copy_from_slice(piece), &mut out).is_err();
            if refused { break; }
        }
        // What ends within a part's head has been held back until now.
        refused |= scan.finish().is_err();
        prop_assert!(refused || out.concat() == form);
    }
}
