//! Reads the fields of a client's request: what has the wrong type is refused, with its path.

use std::borrow::Cow;
use std::fmt;

use tollgate_core::{Refusal, RefusalKind};

use super::{Cache, Extra, Function, Kind, Part};
use crate::json::{self, Fields};

/// Where a value stands in a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'p> {
    /// The whole body.
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Path::Root, name) => f.write_str(name),
            Self::Key(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// An object of a request, and where it stands.
#[derive(Debug)]
pub(crate) struct Node<'a, 'p> {
    pub(crate) fields: Fields<'a>,
    pub(crate) path: Path<'p>,
}

/// That a value is not what it must be.
pub(crate) fn wrong(path: Path<'_>, expected: &str) -> Refusal {
    Refusal::new(RefusalKind::InvalidField, format!("`{path}` must be {expected}")).at(path.to_string())
}

impl<'a, 'p> Node<'a, 'p> {
    /// The whole body.
    pub(crate) fn root(body: &'a [u8]) -> Result<Self, Refusal> {
        let fields = Fields::parse(body).map_err(|fault| {
            Refusal::new(
                RefusalKind::MalformedBody,
                format!("the request body is not a JSON object: {fault}"),
            )
        })?;
        Ok(Self {
            fields,
            path: Path::Root,
        })
    }

    /// A field that is an object, as JSON text.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.raw(name) {
            Some(json) if !json.starts_with('{') => Err(wrong(Path::Key(&self.path, name), "an object")),
            object => Ok(object),
        }
    }

    /// An object at `path`.
    pub(crate) fn of(json: &'a str, path: Path<'p>) -> Result<Self, Refusal> {
        let fields = Fields::of(json).ok_or_else(|| wrong(path, "an object"))?;
        Ok(Self { fields, path })
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.fields.raw(name)
    }

    /// Reads a field with `read`; what it does not read is of the wrong type.
    fn with<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(json) = self.raw(name) else {
            return Ok(None);
        };
        read(json)
            .map(Some)
            .ok_or_else(|| wrong(Path::Key(&self.path, name), expected))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.with(name, "a string", json::text)
    }

    /// A string that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<Cow<'a, str>, Refusal> {
        let missing = || wrong(Path::Key(&self.path, name), "a string");
        self.text(name)?.ok_or_else(missing)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.with(name, "true or false", |json| json.parse().ok())
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let finite = |json: &str| json.parse().ok().filter(|number: &f64| number.is_finite());
        self.with(name, "a number", finite)
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.with(name, "an integer", |json| json.parse().ok())
    }

    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.with(name, "a whole number, not negative", json::count)
    }

    pub(crate) fn elements(&self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        let list = |json: &'a str| json.starts_with('[').then(|| json::elements(json));
        Ok(self.with(name, "an array", list)?.unwrap_or_default())
    }

    /// What `read` reads of each element of an array of objects; it is given the element as JSON text, too.
    pub(crate) fn each<T>(
        &self,
        name: &str,
        mut read: impl FnMut(&'a str, Node<'a, '_>) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let list = Path::Key(&self.path, name);
        let elements = self.elements(name)?.into_iter().enumerate();
        elements
            .map(|(index, json)| read(json, Node::of(json, Path::Index(&list, index))?))
            .collect()
    }

    /// An array of strings; empty if there is none.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<Cow<'a, str>>, Refusal> {
        let list = Path::Key(&self.path, name);
        let elements = self.elements(name)?.into_iter().enumerate();
        let text = |(index, element)| {
            json::text(element).ok_or_else(|| wrong(Path::Index(&list, index), "a string"))
        };
        elements.map(text).collect()
    }

    /// A function; `schema`: the field that tells its arguments.
    pub(crate) fn function(&self, schema: &str) -> Result<Function<'a>, Refusal> {
        Ok(Function {
            name: self.required("name")?,
            description: self.text("description")?,
            schema: self.object(schema)?.map(Cow::Borrowed),
            strict: self.flag("strict")?,
            custom: None,
        })
    }

    /// `cache_control`: any kind of it marks the end of a prefix.
    pub(crate) fn cache(&self) -> Result<Option<Cache<'a>>, Refusal> {
        let Some(json) = self.raw("cache_control") else {
            return Ok(None);
        };
        let path = Path::Key(&self.path, "cache_control");
        let ttl = Node::of(json, path)?.text("ttl")?;
        Ok(Some(Cache { ttl }))
    }

    /// The fields of `cache_control` that say more than that.
    pub(crate) fn extra_of_cache(&self) -> Extra<'a> {
        self.extra_in("cache_control", &["type", "ttl"])
    }

    /// The fields that are not `known` and say something: not `null`, not empty.
    pub(crate) fn extra(&self, known: &[&str]) -> Extra<'a> {
        self.fields
            .iter()
            .filter(|(name, value)| !known.contains(name) && !matches!(*value, "null" | "[]" | "{}" | "\"\""))
            .map(|(name, value)| (Cow::Owned(name.to_owned()), value))
            .collect()
    }

    /// Puts the fields that are not `known` into `extra`, under their whole paths.
    pub(crate) fn note_others(&self, known: &[&str], extra: &mut Extra<'a>) {
        for (name, value) in self.extra(known) {
            extra.push((format!("{}.{name}", self.path).into(), value));
        }
    }

    /// The same for the fields of the object `name`, if it is one.
    pub(crate) fn note_others_in(&self, name: &str, known: &[&str], extra: &mut Extra<'a>) {
        if let Some(fields) = self.fields.object(name) {
            let path = Path::Key(&self.path, name);
            Node { fields, path }.note_others(known, extra);
        }
    }

    /// The fields of the object `name` that are not `known`, named as what is inside of it. None if it is no object.
    pub(crate) fn extra_in(&self, name: &str, known: &[&str]) -> Extra<'a> {
        let fields = self.fields.object(name).unwrap_or_default();
        let inside = Node {
            fields,
            path: self.path,
        };
        let others = inside.extra(known).into_iter();
        others
            .map(|(other, value)| (format!("{name}.{other}").into(), value))
            .collect()
    }

    /// `content`: a string, or parts that are each read by `part`. Some clients write bare strings among the parts.
    pub(crate) fn content(
        &self,
        part: impl Fn(&Node<'a, '_>, &'a str) -> Result<Part<'a>, Refusal>,
    ) -> Result<Vec<Part<'a>>, Refusal> {
        let path = Path::Key(&self.path, "content");
        let Some(json) = self.raw("content") else {
            return Ok(Vec::new());
        };
        let said = |path: Path<'_>, text| Part::new(path.to_string(), Kind::Text(text));
        if let Some(text) = json::text(json) {
            return Ok(vec![said(path, text)]);
        }
        if !json.starts_with('[') {
            return Err(wrong(path, "a string or an array of parts"));
        }
        let elements = json::elements(json).into_iter().enumerate();
        let read = |(index, json)| {
            let path = Path::Index(&path, index);
            match json::text(json) {
                Some(text) => Ok(said(path, text)),
                None => part(&Node::of(json, path)?, json),
            }
        };
        elements.map(read).collect()
    }
}
