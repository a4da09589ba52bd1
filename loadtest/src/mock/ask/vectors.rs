//! Texts to be embedded or ranked, as Google, Cohere and Bedrock's models take them. OpenAI's are read with its chats.

use serde_json::Value;

use super::google::member;
use super::text::length;
use super::{Ask, MOST_INPUTS, checked_dimensions, items, model, required};

/// Google's `embedContent`: one text.
pub(super) fn content(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    let dimensions = member(Some(body), "outputDimensionality");
    of(model(in_path)?, vec![part_text(body)?], dimensions)
}

/// Google's `batchEmbedContents`: a request for each text.
pub(super) fn contents(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    let texts = items(body.get("requests"))
        .map(part_text)
        .collect::<Result<_, _>>()?;
    let dimensions = body
        .pointer("/requests/0")
        .and_then(|first| member(Some(first), "outputDimensionality"));
    of(model(in_path)?, texts, dimensions)
}

/// Vertex AI's `predict`.
pub(super) fn instances(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    let texts = items(body.get("instances")).map(|it| text(it, "content"));
    let dimensions = body
        .get("parameters")
        .and_then(|it| member(Some(it), "outputDimensionality"));
    of(model(in_path)?, texts.collect::<Result<_, _>>()?, dimensions)
}

/// Cohere's `embed`.
pub(super) fn texts(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    required(body, "input_type")?;
    let texts = strings(required(body, "texts")?)?;
    let named = in_path.or_else(|| body.get("model")?.as_str());
    of(model(named)?, texts, body.get("output_dimension"))
}

/// Cohere's `rerank`.
pub(super) fn documents(body: &Value) -> Result<Ask, String> {
    let query = text(body, "query")?;
    let mut ask = of(
        model(body.get("model").and_then(Value::as_str))?,
        strings(required(body, "documents")?)?,
        None,
    )?;
    for document in &mut ask.inputs {
        document.insert_str(0, &query);
    }
    let most = body.get("top_n").and_then(Value::as_u64);
    ask.most = most.and_then(|most| usize::try_from(most).ok());
    Ok(ask)
}

/// Bedrock's `invoke`, of which only models that embed are simulated: each maker's have words of their own.
pub(super) fn invoked(body: &Value, in_path: Option<&str>) -> Result<Ask, String> {
    let named = in_path.unwrap_or_default();
    if named.contains("cohere.embed") {
        return texts(body, in_path);
    }
    if named.contains("titan-embed") {
        return of(
            named.to_owned(),
            vec![text(body, "inputText")?],
            body.get("dimensions"),
        );
    }
    Err(format!(
        "invoke is simulated for Titan's and Cohere's embeddings only, not for '{named}'"
    ))
}

fn of(model: String, texts: Vec<String>, dimensions: Option<&Value>) -> Result<Ask, String> {
    if !(1..=MOST_INPUTS).contains(&texts.len()) {
        return Err(format!(
            "found {} texts, expected 1 to {MOST_INPUTS}",
            texts.len()
        ));
    }
    let bytes = texts.iter().map(|text| length(text.len())).sum();
    Ok(Ask {
        inputs: texts,
        dimensions: checked_dimensions(dimensions.and_then(Value::as_u64))?,
        ..Ask::new(model, bytes)
    })
}

/// The text of the parts of a content.
fn part_text(request: &Value) -> Result<String, String> {
    let parts = items(request.pointer("/content/parts")).map(|part| text(part, "text"));
    let texts: Vec<_> = parts.collect::<Result<_, _>>()?;
    if texts.is_empty() {
        return Err("missing required parameter: 'content.parts'".to_owned());
    }
    Ok(texts.concat())
}

fn text(value: &Value, name: &str) -> Result<String, String> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| format!("missing required parameter: '{name}'"))
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    let texts = items(Some(value)).map(|it| it.as_str().map(str::to_owned));
    texts
        .collect::<Option<_>>()
        .ok_or_else(|| "expected a list of strings".to_owned())
}
