use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oci::Algorithm;

fn annotations(pairs: &[(&str, &str)]) -> Annotations {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn read(pairs: &[(&str, &str)], document: &Value) -> Bundle {
    Bundle::read(&annotations(pairs), Some(document.to_string().as_bytes()))
}

const APP: &[(&str, &str)] = &[
    ("io.cnab.runtime_version", "v1.0.0-WD"),
    ("io.docker.app.format", "cnab"),
    ("io.docker.type", "app"),
    ("org.opencontainers.artifactType", "application/vnd.cnab.manifest.v1"),
    ("org.opencontainers.image.authors", r#"[{"name":"alice","email":"alice@registry.lab"},{"name":"bob"}]"#),
    ("org.opencontainers.image.description", "Hello, World!"),
    ("org.opencontainers.image.title", "lab-words"),
    ("org.opencontainers.image.version", "0.1.0"),
];

#[test]
fn docker_app_0_8_says_most_in_annotations() {
    let config = json!({
        "schema_version": "v1.0.0-WD",
        "actions": {"com.docker.app.inspect": {"stateless": true}, "com.docker.app.status": {}},
        "parameters": {
            "com.docker.app.orchestrator": {"type": "string", "default": "", "allowedValues": ["", "swarm"],
                "metadata": {"description": "Orchestrator on which to deploy"},
                "destination": {"env": "DOCKER_STACK_ORCHESTRATOR"}, "apply-to": ["install"]},
            "port": {"type": "string", "default": "8080", "destination": {"env": "docker_param1"}},
            "share": {"type": "bool", "default": false, "required": true},
        },
        "credentials": {"docker.context": {"path": "/cnab/app/context.dockercontext"}},
    });
    let bundle = read(APP, &config);
    assert_eq!((bundle.name.as_str(), bundle.version.as_str()), ("lab-words", "0.1.0"));
    assert_eq!((bundle.description.as_str(), bundle.schema.as_str()), ("Hello, World!", "v1.0.0-WD"));
    assert_eq!(bundle.authors, ["alice <alice@registry.lab>", "bob"]);
    let names: Vec<_> = bundle.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["com.docker.app.orchestrator", "port", "share"]);
    let port = Parameter {
        name: "port".into(),
        kind: "string".into(),
        default: Some("\"8080\"".into()),
        destination: "docker_param1".into(),
        ..Parameter::default()
    };
    assert_eq!(bundle.parameters[1], port);
    assert_eq!(bundle.parameters[0].description, "Orchestrator on which to deploy");
    assert!(bundle.parameters[2].required && bundle.parameters[2].default.as_deref() == Some("false"));
    assert_eq!(bundle.credentials[0].destination, "/cnab/app/context.dockercontext");
    assert!(bundle.actions[0].stateless && !bundle.actions[1].stateless);
    assert!(bundle.images.is_empty() && bundle.invocation_images.is_empty());
}

#[test]
fn docker_app_0_9_stores_the_whole_bundle() {
    let digest = Digest::of(Algorithm::Sha256, b"web");
    let other = Digest::of(Algorithm::Sha256, b"db");
    let config = json!({
        "schemaVersion": "v1.0.0", "name": "lab-words", "version": "0.1.0", "description": "Hello, World!",
        "maintainers": [{"email": "alice@registry.lab", "name": "alice"}], "keywords": ["lab", "words"],
        "actions": {"io.cnab.status+json": {"modifies": true, "description": "Status"}},
        "credentials": {"creds": {"path": "/a", "env": "A", "required": true, "description": "Whose"}},
        "definitions": {
            "port": {"default": "8080", "type": "string", "description": "Where it listens"},
            "secret": {"default": "hunter2", "type": "string", "writeOnly": true},
            "mixed": {"type": ["string", "null"], "default": null},
        },
        "parameters": {
            "mixed": {"definition": "mixed"},
            "port": {"definition": "port", "destination": {"env": "PORT", "path": "/port"}, "required": true},
            "secret": {"definition": "secret"},
        },
        "images": {
            "db": {"image": format!("registry.lab/lib/db:1.0@{other}"), "imageType": "docker"},
            "web": {"image": "registry.lab/lib/web:1.0", "contentDigest": digest.to_string(), "mediaType": "a/b"},
        },
        "invocationImages": [{"image": "lab-words:0.1.0-invoc", "contentDigest": "sha256:short"}],
    });
    for bundle in [read(APP, &config), read(&[], &config)] {
        assert_eq!((bundle.name.as_str(), bundle.version.as_str()), ("lab-words", "0.1.0"));
        assert_eq!((bundle.description.as_str(), bundle.schema.as_str()), ("Hello, World!", "v1.0.0"));
        assert_eq!(bundle.authors[0], "alice <alice@registry.lab>");
        assert_eq!(bundle.keywords, ["lab", "words"]);
        let [mixed, port, secret] = bundle.parameters.as_slice() else { panic!("{bundle:?}") };
        assert_eq!((mixed.kind.as_str(), mixed.default.as_deref()), ("string | null", Some("null")));
        assert_eq!((port.destination.as_str(), port.description.as_str()), ("PORT, /port", "Where it listens"));
        assert!(port.required && port.default.as_deref() == Some("\"8080\""));
        assert_eq!((secret.kind.as_str(), &secret.default), ("string", &None), "a secret's default is not shown");
        assert_eq!(bundle.credentials[0].destination, "A, /a");
        assert!(bundle.credentials[0].required && bundle.actions[0].modifies);
        assert_eq!(bundle.images.iter().map(|image| image.digest).collect::<Vec<_>>(), [Some(other), Some(digest)]);
        assert_eq!((bundle.images[1].name.as_str(), bundle.images[1].media_type.as_str()), ("web", "a/b"));
        assert_eq!(bundle.invocation_images[0].image, "lab-words:0.1.0-invoc");
        assert_eq!(bundle.invocation_images[0].digest, None);
    }
}

#[test]
fn cnab_to_oci_writes_lists_as_json_and_others_as_text() {
    let bundle = read(
        &[
            ("io.cnab.keywords", r#"["lab","cnab"]"#),
            ("org.opencontainers.image.authors", r#"[{"name":"Lab","email":"","url":"https://registry.lab"},{}, 3]"#),
        ],
        &json!({}),
    );
    assert_eq!(
        (bundle.keywords, bundle.authors),
        (vec!["lab".into(), "cnab".into()], vec!["Lab <https://registry.lab>".to_owned()])
    );
    let bundle = read(&[("org.opencontainers.image.authors", " alice <alice@registry.lab> ")], &json!({}));
    assert_eq!(bundle.authors, ["alice <alice@registry.lab>"]);
    let bundle = read(&[("org.opencontainers.image.authors", "[not json")], &json!({}));
    assert_eq!(bundle.authors, ["[not json"]);
}

#[test]
fn a_compose_file_is_not_looked_into() {
    let bundle = Bundle::read(
        &annotations(&[("com.docker.compose.version", "v2.40.0"), ("org.opencontainers.image.title", "words")]),
        Some(b"services:\n  web:\n    image: web\n"),
    );
    assert_eq!((bundle.name.as_str(), bundle.schema.as_str()), ("words", "v2.40.0"));
    assert_eq!(Bundle { name: String::new(), schema: String::new(), ..bundle }, Bundle::default());
}

#[test]
fn parameters_of_drafts_and_those_that_only_look_so() {
    let draft = json!({"parameters": {"fields": {"port": {"definition": "p"}}, "required": ["port"]},
        "definitions": {"p": {"type": "integer"}}});
    let [port] = <[Parameter; 1]>::try_from(read(&[], &draft).parameters).unwrap();
    assert!(port.required && port.kind == "integer" && port.name == "port");
    let usual = json!({"parameters": {"fields": {"type": "string"}, "required": {"type": "bool"}}});
    let names: Vec<_> = read(&[], &usual).parameters.into_iter().map(|parameter| parameter.name).collect();
    assert_eq!(names, ["fields", "required"]);
}

#[test]
fn everything_is_bounded() {
    let long = "ä".repeat(TEXT);
    let many: serde_json::Map<_, _> = (0..=ENTRIES).map(|n| (format!("{n:05}"), json!({"type": "x"}))).collect();
    let document = json!({"name": long, "parameters": many, "maintainers": vec![json!("a"); ENTRIES + 1]});
    let bundle = read(&[("org.opencontainers.image.description", &long)], &document);
    assert_eq!((bundle.parameters.len(), bundle.authors.len()), (ENTRIES, ENTRIES));
    assert_eq!((bundle.name.len(), bundle.description.len()), (TEXT, TEXT));
    let large = json!({"name": "x".repeat(MAX_DOCUMENT)});
    assert_eq!(read(&[], &large), Bundle::default());
    assert_eq!(read(&[], &json!([])), Bundle::default());
    assert_eq!(Bundle::read(&annotations(&[]), None), Bundle::default());
}

/// JSON with the names that are looked for, and any values.
fn any_document() -> impl Strategy<Value = Value> {
    let names = [
        "name",
        "parameters",
        "fields",
        "required",
        "definition",
        "definitions",
        "type",
        "default",
        "writeOnly",
        "destination",
        "env",
        "path",
        "credentials",
        "actions",
        "images",
        "image",
        "contentDigest",
        "invocationImages",
        "maintainers",
        "email",
        "metadata",
        "description",
        "schemaVersion",
        "keywords",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(names.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.to_vec()), inner), 0..6).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,40}") {
        let _ = Bundle::read(&annotations(&[("org.opencontainers.image.authors", &text), ("io.cnab.keywords", &text)]), Some(&bytes));
    }

    #[test]
    fn no_document_panics(document in any_document()) {
        let bundle = Bundle::read(&Annotations::new(), Some(document.to_string().as_bytes()));
        prop_assert!(bundle.parameters.len() <= ENTRIES);
    }
}
