//! The names that expressions know without a library: variables and their fields, types, macros. And those that
//! Kubernetes knows and we do not, so that whoever writes one reads why.

use super::{
    kind::{Field, Kind, Struct},
    subject::Variable,
    tree::Macro,
};

/// Variables.
pub const VARIABLES: [(&str, Variable); 4] = [
    ("object", Variable::Object),
    ("oldObject", Variable::OldObject),
    ("request", Variable::Request),
    ("namespaceObject", Variable::NamespaceObject),
];

/// Types that can be compared with what `type()` says.
pub const TYPES: [&str; 10] =
    ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"];

/// Macros that go through something: name, numbers of arguments, and which it is.
pub const MACROS: [(&str, &[usize], Macro); 13] = [
    ("all", &[2, 3], Macro::All),
    ("exists", &[2, 3], Macro::Exists),
    ("exists_one", &[2, 3], Macro::ExistsOne),
    ("existsOne", &[3], Macro::ExistsOne),
    ("filter", &[2], Macro::Filter),
    ("map", &[2, 3], Macro::Map),
    ("transformList", &[3, 4], Macro::Map),
    ("transformMap", &[3, 4], Macro::TransformMap),
    ("transformMapEntry", &[3, 4], Macro::TransformMapEntry),
    ("sortBy", &[2], Macro::SortBy),
    ("optMap", &[2], Macro::OptionalMap),
    ("optFlatMap", &[2], Macro::OptionalFlatMap),
    // Not one that goes through something: the check knows it by its name.
    ("has", &[1], Macro::All),
];

/// What Kubernetes knows and we do not, and what to do instead.
pub const UNSUPPORTED: [(&str, &str); 18] = [
    (
        "authorizer",
        "who may do what is asked of the API server, not of a policy: use a ValidatingAdmissionPolicy",
    ),
    ("params", "a policy has no parameters: write the values into the expression"),
    ("variables", "a policy has no variables: write the expression in place"),
    ("url", "look at the text with startsWith or matches"),
    ("isURL", "look at the text with startsWith or matches"),
    ("ip", "look at the text with matches"),
    ("isIP", "look at the text with matches"),
    ("cidr", "look at the text with matches"),
    ("isCIDR", "look at the text with matches"),
    ("format", "of Kubernetes' named formats none is known: look at the text with matches"),
    ("getMilliseconds", "count in seconds"),
    ("includes", "write 'value in list'"),
    ("base64", "not in Kubernetes either"),
    ("math", "not in Kubernetes either"),
    ("cel", "cel.bind is not in Kubernetes either: write the expression in place"),
    ("reverse", "known for lists only, as in Kubernetes"),
    ("now", "expressions have no clock: use windows"),
    ("jsonpatch", "a policy changes nothing"),
];

/// `namespaceObject`: of the namespace a policy sees its name and its labels.
pub const NAMESPACE: Struct = Struct {
    name: "namespaceObject",
    fields: &[(
        "metadata",
        Field::Struct(&Struct {
            name: "namespaceObject.metadata",
            fields: &[("name", Field::Of("string")), ("labels", Field::Of("map(string, string)"))],
        }),
    )],
};

const KIND: Struct = Struct {
    name: "request.kind",
    fields: &[
        ("group", Field::Of("string")),
        ("version", Field::Of("string")),
        ("kind", Field::Of("string")),
    ],
};

const RESOURCE: Struct = Struct {
    name: "request.resource",
    fields: &[
        ("group", Field::Of("string")),
        ("version", Field::Of("string")),
        ("resource", Field::Of("string")),
    ],
};

/// `request`
pub const REQUEST: Struct = Struct {
    name: "request",
    fields: &[
        ("kind", Field::Struct(&KIND)),
        ("resource", Field::Struct(&RESOURCE)),
        ("subResource", Field::Of("string")),
        ("requestKind", Field::Struct(&KIND)),
        ("requestResource", Field::Struct(&RESOURCE)),
        ("requestSubResource", Field::Of("string")),
        ("name", Field::Of("string")),
        ("namespace", Field::Of("string")),
        ("operation", Field::Of("string")),
        (
            "userInfo",
            Field::Struct(&Struct {
                name: "request.userInfo",
                fields: &[
                    ("username", Field::Of("string")),
                    ("uid", Field::Of("string")),
                    ("groups", Field::Of("list(string)")),
                    ("extra", Field::Of("map(string, list(string))")),
                ],
            }),
        ),
        ("dryRun", Field::Of("bool")),
        ("options", Field::Of("dyn")),
    ],
};

/// The type of a variable.
pub const fn kind(variable: Variable) -> Kind {
    match variable {
        Variable::Object | Variable::OldObject => Kind::Dyn,
        Variable::Request => Kind::Struct(&REQUEST),
        Variable::NamespaceObject => Kind::Struct(&NAMESPACE),
    }
}

/// The macro of that name with so many arguments.
pub fn find_macro(name: &str, arguments: usize) -> Option<Macro> {
    let known = MACROS
        .iter()
        .find(|(known, counts, _)| *known == name && *known != "has" && counts.contains(&arguments));
    known.map(|(_, _, macro_)| *macro_)
}

/// What to add to the message about a name that is not known.
pub fn hint(name: &str) -> String {
    let hint = UNSUPPORTED.iter().find(|(known, _)| *known == name);
    hint.map(|(_, hint)| format!(" ({hint})")).unwrap_or_default()
}
