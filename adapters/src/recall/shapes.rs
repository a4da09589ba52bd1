//! Which fields of a request count, and how: one table for each kind of object in each dialect.
//!
//! The canonical model holds most of what changes an answer, but not all: decoders leave out what no other dialect
//! knows, and of two fields for one thing they read one, while a provider of the client's own dialect gets both. So a
//! field that is not in a table counts as it stands. `IGNORED` is the only list of what does not count.

use std::borrow::Cow;

use crate::json::Fields;

/// What is made of a field, where it is not `null`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// It is in the model, all of it.
    Read,
    /// The model does not hold it, or not all of it: it counts as it stands.
    Also,
    /// The same, and it says something about the question.
    Marks(Mark),
    /// It is in the model, unless one of these is given.
    Unless(&'static [&'static str]),
    /// It says nothing if it is this text.
    Fixed(&'static str),
    /// An object, or objects in an array, with fields of their own. Anything else is in the model.
    Inside(fn(&Fields<'_>) -> Table),
}

/// What a field says about a question that the model does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The provider may look things up, or run something.
    Tools,
    /// The answer is not, or not only, text.
    Media,
}

/// The fields of an object that are known.
pub(super) type Table = &'static [(&'static str, Field)];

use Field::{Also, Fixed, Inside, Marks, Read, Unless};

/// What never changes an answer's content, and why. At the top of a request only.
pub(super) const IGNORED: &[(&str, &str)] = &[
    ("model", "the route stands for it: the gateway adds it to the key"),
    ("stream", "how the answer is sent, not what it says"),
    ("stream_options", "how the answer is sent: usage, padding"),
    (
        "user",
        "who asks, for abuse detection; tenants are kept apart by the gateway",
    ),
    ("safety_identifier", "who asks, for abuse detection"),
    (
        "metadata",
        "labels for the provider's logs, and Anthropic's `user_id`",
    ),
    ("service_tier", "how soon and at what price the answer comes"),
    ("store", "whether the provider keeps a copy"),
    ("prompt_cache_key", "where the provider looks for a cached prefix"),
    (
        "prompt_cache_retention",
        "how long the provider keeps a cached prefix",
    ),
    ("cache_control", "what prefix the provider caches"),
    ("timeout", "an option of client libraries"),
    ("max_retries", "an option of client libraries"),
    ("extra_headers", "an option of client libraries"),
    ("extra_query", "an option of client libraries"),
];

/// The tables of a dialect begin here.
pub(super) const OPENAI: Table = &[
    ("messages", Inside(message)),
    ("tools", Inside(openai_tool)),
    ("tool_choice", Inside(|_| NAMED_CHOICE)),
    ("parallel_tool_calls", Read),
    ("max_completion_tokens", Read),
    ("max_tokens", Unless(&["max_completion_tokens"])),
    ("temperature", Read),
    ("top_p", Read),
    ("top_k", Read),
    ("stop", Read),
    ("seed", Read),
    ("frequency_penalty", Read),
    ("presence_penalty", Read),
    ("n", Read),
    ("logprobs", Read),
    ("top_logprobs", Read),
    ("response_format", Inside(response_format)),
    ("reasoning_effort", Read),
    ("thinking", Inside(thinking)),
    ("logit_bias", Also),
    ("verbosity", Also),
    ("prediction", Also),
    ("min_p", Also),
    ("random_seed", Also),
    ("repetition_penalty", Also),
    ("reasoning", Also),
    ("include_reasoning", Also),
    ("enable_thinking", Also),
    ("chat_template_kwargs", Also),
    ("modalities", Marks(Mark::Media)),
    ("audio", Marks(Mark::Media)),
    ("functions", Marks(Mark::Tools)),
    ("function_call", Marks(Mark::Tools)),
    ("web_search_options", Marks(Mark::Tools)),
    ("search_parameters", Marks(Mark::Tools)),
    ("enable_search", Marks(Mark::Tools)),
    ("plugins", Marks(Mark::Tools)),
];

/// See [`OPENAI`].
pub(super) const ANTHROPIC: Table = &[
    ("messages", Inside(|_| ANTHROPIC_MESSAGE)),
    ("system", Inside(block)),
    ("max_tokens", Read),
    ("stop_sequences", Read),
    ("temperature", Read),
    ("top_k", Read),
    ("top_p", Read),
    ("tools", Inside(anthropic_tool)),
    ("tool_choice", Inside(anthropic_choice)),
    ("thinking", Inside(thinking)),
    ("output_config", Inside(|_| OUTPUT_CONFIG)),
    ("output_format", Also),
    ("anthropic_version", Also),
    ("anthropic_beta", Also),
    ("mcp_servers", Marks(Mark::Tools)),
    ("container", Marks(Mark::Tools)),
];

/// The one of [`IGNORED`] that stands everywhere: marks of prompt caches.
pub(super) const EVERYWHERE: &str = "cache_control";

const NAMED_CHOICE: Table = &[("type", Fixed("function")), ("function", Inside(|_| NAME))];
const NAME: Table = &[("name", Read)];

fn kind_of<'a>(fields: &Fields<'a>) -> Cow<'a, str> {
    fields.text("type").unwrap_or_default()
}

fn message(message: &Fields<'_>) -> Table {
    match message.text("role").as_deref() {
        Some("assistant") => &[
            ("role", Read),
            ("content", Inside(part)),
            ("name", Read),
            ("refusal", Read),
            ("reasoning_content", Unless(&["thinking_blocks"])),
            ("reasoning", Unless(&["thinking_blocks", "reasoning_content"])),
            ("thinking_blocks", Inside(thinking_block)),
            ("tool_calls", Inside(|_| TOOL_CALL)),
        ],
        Some("tool") => &[
            ("role", Read),
            ("content", Inside(part)),
            ("name", Also),
            ("tool_call_id", Read),
        ],
        _ => &[("role", Read), ("content", Inside(part)), ("name", Read)],
    }
}

const TOOL_CALL: Table = &[
    ("id", Read),
    ("type", Fixed("function")),
    ("function", Inside(|_| &[("name", Read), ("arguments", Read)])),
];

fn part(part: &Fields<'_>) -> Table {
    match &*kind_of(part) {
        "text" | "input_text" | "output_text" => &[("type", Read), ("text", Read)],
        "refusal" => &[("type", Read), ("refusal", Read)],
        "image_url" => &[
            ("type", Read),
            ("image_url", Inside(|_| &[("url", Read), ("detail", Read)])),
        ],
        "input_audio" => &[
            ("type", Read),
            ("input_audio", Inside(|_| &[("format", Read), ("data", Read)])),
        ],
        "file" => &[("type", Read), ("file", Inside(|_| FILE))],
        "thinking" => &[
            ("type", Read),
            ("thinking", Also),
            ("signature", Read),
            ("closed", Also),
        ],
        _ => &[],
    }
}

const FILE: Table = &[
    ("filename", Also),
    ("file_data", Read),
    ("file_id", Unless(&["file_data"])),
];

fn thinking_block(block: &Fields<'_>) -> Table {
    match &*kind_of(block) {
        "thinking" => &[("type", Read), ("thinking", Read), ("signature", Read)],
        "redacted_thinking" => &[("type", Read), ("data", Read)],
        _ => &[],
    }
}

fn openai_tool(tool: &Fields<'_>) -> Table {
    const FUNCTION: Table = &[
        ("name", Read),
        ("description", Read),
        ("parameters", Read),
        ("strict", Read),
    ];
    if tool.raw("function").is_none() {
        return &[];
    }
    &[("type", Fixed("function")), ("function", Inside(|_| FUNCTION))]
}

fn response_format(format: &Fields<'_>) -> Table {
    const SCHEMA: Table = &[
        ("name", Read),
        ("description", Read),
        ("schema", Read),
        ("strict", Read),
    ];
    match &*kind_of(format) {
        "json_schema" => &[("type", Read), ("json_schema", Inside(|_| SCHEMA))],
        _ => &[("type", Read)],
    }
}

fn thinking(thinking: &Fields<'_>) -> Table {
    match &*kind_of(thinking) {
        "enabled" => &[("type", Read), ("budget_tokens", Read)],
        _ => &[("type", Read)],
    }
}

const ANTHROPIC_MESSAGE: Table = &[("role", Read), ("content", Inside(block))];

fn block(block: &Fields<'_>) -> Table {
    match &*kind_of(block) {
        "text" => &[("type", Read), ("text", Read)],
        "image" => &[("type", Read), ("source", Inside(source))],
        "document" => &[("type", Read), ("source", Inside(source)), ("title", Read)],
        "tool_use" => &[
            ("type", Read),
            ("id", Read),
            ("name", Read),
            ("input", Read),
            ("caller", Also),
        ],
        "tool_result" => &[
            ("type", Read),
            ("tool_use_id", Read),
            ("content", Inside(self::block)),
            ("is_error", Read),
        ],
        _ => thinking_block(block),
    }
}

fn source(source: &Fields<'_>) -> Table {
    match &*kind_of(source) {
        "base64" => &[("type", Read), ("media_type", Read), ("data", Read)],
        "url" => &[("type", Read), ("url", Read)],
        "text" => &[("type", Read), ("media_type", Also), ("data", Read)],
        "file" => &[("type", Read), ("file_id", Read)],
        _ => &[("type", Also), ("content", Also)],
    }
}

fn anthropic_tool(tool: &Fields<'_>) -> Table {
    match tool.text("type").as_deref() {
        None | Some("custom") => &[
            ("type", Read),
            ("name", Read),
            ("description", Read),
            ("input_schema", Read),
            ("strict", Read),
        ],
        _ => &[],
    }
}

fn anthropic_choice(choice: &Fields<'_>) -> Table {
    match &*kind_of(choice) {
        "tool" => &[
            ("type", Read),
            ("name", Read),
            ("disable_parallel_tool_use", Read),
        ],
        _ => &[("type", Read), ("disable_parallel_tool_use", Read)],
    }
}

const OUTPUT_CONFIG: Table = &[
    ("effort", Read),
    ("format", Inside(|_| &[("type", Read), ("schema", Read)])),
];

/// The table of the legacy completions and of embeddings, which have no model: nothing is read.
pub(super) const NONE: Table = &[];
