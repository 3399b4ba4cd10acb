mod samples;

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::samples::*;
use super::table::Table;
use super::*;
use crate::oci::MediaType;

#[test]
fn every_manifest_is_what_it_is() {
    for sample in samples() {
        let verdict = sample.verdict();
        assert_eq!((verdict.kind, verdict.format), sample.is, "{} {:?}", sample.body, sample.config);
        assert_eq!(verdict.raw_type.is_some(), verdict.kind.shows_raw_type(), "{}", sample.body);
        // What the store reads leniently is the same.
        let stored = Manifest::from_stored(sample.read().media_type, sample.body.to_string().as_bytes()).unwrap();
        let summary = Summary::of(&stored, sample.config.as_deref().map(str::as_bytes), &sample.tags());
        assert_eq!((summary.kind, summary.format.as_deref()), sample.is, "{}", sample.body);
    }
}

/// No rule is there in vain: each decides one of the samples, and so does each rule for children.
#[test]
fn every_rule_decides_something() {
    let (mut fired, mut children) = (HashSet::new(), HashSet::new());
    for sample in samples() {
        let manifest = sample.read();
        let config = sample.config.as_ref().and_then(|config| ImageConfig::read(config.as_bytes()));
        fired.extend(Look::new(&manifest, config.as_ref(), &sample.tags()).decide().map(std::ptr::from_ref));
        children.extend(manifest.children().filter_map(|part| child::rule(&manifest, part)).map(std::ptr::from_ref));
    }
    let attestation =
        with(part(OCI, "a"), json!({"artifactType": "application/vnd.docker.attestation.manifest.v1+json"}));
    let new_form = sample(Kind::Image, Some("provenance"), index(INDEX, &[amd64(), attestation]));
    assert_eq!(new_form.verdict().format, new_form.is.1);
    let manifest = new_form.read();
    children.extend(manifest.children().filter_map(|part| child::rule(&manifest, part)).map(std::ptr::from_ref));
    for rule in [&TABLE.by_form, &TABLE.by_type, &TABLE.by_content].into_iter().flatten() {
        assert!(fired.contains(&std::ptr::from_ref(rule)), "never decides: {rule:?}");
    }
    for rule in &TABLE.children {
        assert!(children.contains(&std::ptr::from_ref(rule)), "never decides: {rule:?}");
    }
}

#[test]
fn every_kind_and_format_has_a_sample_and_a_label() {
    let found: HashSet<_> = samples().iter().map(|sample| sample.is).collect();
    for &kind in Kind::ALL {
        assert!(found.iter().any(|(sample, _)| *sample == kind), "{kind}");
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
        assert!(kind.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{kind}");
        assert!(!kind.label().is_empty());
        for format in TABLE.formats(kind) {
            assert!(found.iter().any(|(sample, named)| *sample == kind && *named == Some(format)), "{kind} {format}");
        }
        assert_eq!(serde_json::from_value::<Kind>(json!(kind)).unwrap(), kind);
    }
    // Rows of a later version stay readable.
    assert_eq!(serde_json::from_value::<Kind>(json!("hologram")).unwrap(), Kind::Unknown);
}

#[test]
fn what_is_true_of_kinds() {
    let about = |kind: Kind, format| kind.about(format);
    let multi = about(Kind::MultiArch, None);
    assert_eq!((multi.label, multi.group, multi.is_image, multi.scannable), ("Multi-arch", Group::Images, true, true));
    assert_eq!(about(Kind::Application, None).pull, Pull::DockerApp);
    assert_eq!(about(Kind::Signature, None).pull, Pull::Cosign);
    assert_eq!(about(Kind::Signature, Some("notation")).pull, Pull::Notation);
    assert_eq!(about(Kind::Signature, Some("of the future")).label, "Signature");
    // What docker runs is scanned, although it is called WebAssembly.
    assert!(about(Kind::Wasm, Some("image")).scannable && about(Kind::Wasm, Some("image")).is_image);
    assert!(!about(Kind::Wasm, None).is_image);
}

#[test]
fn the_raw_type_is_what_the_manifest_says() {
    let raw = |body| sample(Kind::Unknown, None, body).verdict().raw_type;
    for (body, expected) in [
        (artifact("application/vnd.example.thing.v1", "text/plain"), "application/vnd.example.thing.v1"),
        (image(OCI, "application/vnd.example.config.v1+json", &[]), "application/vnd.example.config.v1+json"),
        (image(OCI, OCI_CONFIG, &["text/plain"]), "text/plain"),
        (image(OCI, EMPTY, &["text/plain"]), "text/plain"),
        (image(OCI, EMPTY, &[]), OCI),
        (artifact("application/vnd.unknown.artifact.v1", "text/plain"), "application/vnd.unknown.artifact.v1"),
        (index(INDEX, &[]), INDEX),
        (with(index(INDEX, &[]), json!({"artifactType": "application/vnd.example"})), "application/vnd.example"),
    ] {
        assert_eq!(raw(body.clone()).as_deref(), Some(expected), "{body}");
    }
    assert_eq!(raw(image(OCI, OCI_CONFIG, &[OCI_LAYER])), None);
}

#[test]
fn configs_are_read_where_they_tell_something() {
    let needs = |body: Value| needs_config(&sample(Kind::Image, None, body).read()).map(|config| config.digest);
    assert_eq!(needs(image(DOCKER, DOCKER_CONFIG, &[DOCKER_LAYER])), Some(digest("config")));
    assert_eq!(needs(image(OCI, OCI_CONFIG, &[])), Some(digest("config")));
    assert_eq!(needs(image(OCI, "application/vnd.cncf.helm.config.v1+json", &[])), None);
    assert_eq!(needs(index(INDEX, &[amd64()])), None);
    let large = with(part(OCI_CONFIG, "config"), json!({"size": CONFIG_MAX + 1}));
    assert_eq!(needs(with(image(OCI, OCI_CONFIG, &[]), json!({ "config": large }))), None);
}

#[test]
fn children_play_parts() {
    let roles = |body: Value| {
        let index = sample(Kind::Index, None, body).read();
        index.children().map(|child| role_of_child(&index, child)).collect::<Vec<_>>()
    };
    let component = |name: &str| ChildRole::CnabComponent {
        name: Some(name.to_owned()),
        original_name: Some(format!("registry.lab/lib/{name}:1.0")),
    };
    // One digest under two names is two components.
    let expected =
        vec![ChildRole::CnabConfig, ChildRole::CnabInvocation, component("web"), component("api"), component("multi")];
    assert_eq!(roles(index(INDEX, &cnab_children())), expected);
    assert_eq!(roles(index(LIST, &cnab_children())), expected);
    let app = sample(Kind::Application, None, index(INDEX, &cnab_children())).read();
    assert_eq!((app.children().count(), app.references().count()), (5, 4));

    let found =
        roles(index(INDEX, &[amd64(), attestation(), on(part(OCI, "x"), "unknown", "unknown"), part(OCI, "y")]));
    assert_eq!(found[0].name(), "platform");
    assert_eq!(found[1], ChildRole::Attestation { of: Some(digest("amd64")) });
    assert_eq!(found[2..], [ChildRole::Other, ChildRole::Other]);

    let images = json!({"annotations": {"com.docker.compose.version": "2.40"}, "subject": part(OCI, "project")});
    assert_eq!(roles(with(index(INDEX, &[amd64()]), images)), [ChildRole::ComposeImage]);
    let nydus = json!({"platform": {"os": "linux", "architecture": "amd64", "os.features": ["nydus.remoteimage.v1"]}});
    assert_eq!(roles(index(INDEX, &[with(part(OCI, "n"), nydus)])), [ChildRole::LazyLoad]);
    assert_eq!(roles(index(INDEX, &[part(OCI_LAYER, "layer")])), [ChildRole::Other]);
}

#[test]
fn tags_that_tie_to_a_subject() {
    let read = |tag: String| ReferrerTag::of(&Tag::parse(&tag).unwrap()).map(|tag| (tag.subject, tag.names));
    let subject = Some(digest("subject"));
    for (suffix, names) in [
        ("", TagNames::Referrers),
        (".sig", TagNames::Signature),
        (".att", TagNames::Attestation),
        (".sbom", TagNames::Sbom),
    ] {
        assert_eq!(read(cosign_tag(suffix)), Some((subject, names)));
    }
    assert_eq!(read(format!("sha512-{}", "0".repeat(121))), Some((None, TagNames::Referrers)));
    for tag in ["1.0", "sha256-0", "latest.sig", "v1-invoc"] {
        assert_eq!(read(tag.to_owned()), None, "{tag}");
    }
    for tag in [cosign_tag(".imgpkg"), cosign_tag("").to_uppercase(), format!("sha512-{}", "0".repeat(120))] {
        assert_eq!(read(tag.clone()), None, "{tag}");
    }
}

mod summaries {
    use super::*;

    fn sum(body: Value, config: Option<&str>) -> Summary {
        Summary::of(&sample(Kind::Unknown, None, body).read(), config.map(str::as_bytes), &[])
    }

    #[test]
    fn platforms_are_the_real_ones_each_once() {
        let two = sum(index(INDEX, &[amd64(), arm64(), attestation(), amd64()]), None);
        assert_eq!(
            (two.platforms, two.platform_count),
            (vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()], 2)
        );
        let one = sum(index(INDEX, &[amd64(), attestation()]), None);
        assert_eq!((one.kind, one.platforms), (Kind::Image, vec!["linux/amd64".to_owned()]));
        let single = sum(image(OCI, OCI_CONFIG, &[OCI_LAYER]), Some(LINUX));
        assert_eq!((single.platforms, single.config_read), (vec!["linux/amd64".to_owned()], true));
        assert!(sum(image(OCI, OCI_CONFIG, &[OCI_LAYER]), Some("{}")).platforms.is_empty());
        let many: Vec<_> = (0..100).map(|n| on(part(OCI, &n.to_string()), "linux", &format!("a{n}"))).collect();
        let many = sum(index(INDEX, &many), None);
        assert_eq!((many.platforms.len(), many.platform_count), (64, 100));
        let long = sum(index(INDEX, &[on(part(OCI, "x"), "linux", &"a".repeat(9000))]), None);
        assert_eq!((long.platforms.len(), long.platform_count), (0, 1));
    }

    #[test]
    fn sizes_count_each_digest_once() {
        let body = json!({"schemaVersion": 2, "mediaType": OCI, "config": part(OCI_CONFIG, "config"),
            "layers": [part(OCI_LAYER, "a"), part(OCI_LAYER, "a"), part(OCI_LAYER, "b")]});
        assert_eq!(sum(body, None).content_bytes, Some(300));
        assert_eq!(sum(index(INDEX, &[amd64()]), None).content_bytes, None);
    }

    #[test]
    fn annotations_for_lists_and_no_more() {
        let body = with(index(INDEX, &cnab_children()), json!({ "annotations": app_annotations() }));
        let app = sum(body, None);
        assert_eq!(app.annotations["org.opencontainers.image.title"], "lab-words");
        assert_eq!(app.annotations["io.docker.type"], "app");
        assert!(!app.annotations.contains_key("org.opencontainers.artifactType"));
        let mut notes: serde_json::Map<_, _> = (0..500).map(|n| (format!("io.cnab.{n}"), json!("x"))).collect();
        notes.insert("org.opencontainers.image.title".into(), json!("t"));
        notes.insert("org.opencontainers.image.authors".into(), json!("a".repeat(1001)));
        notes.insert("org.opencontainers.image.description".into(), json!("ß".repeat(5000)));
        let large = sum(with(index(INDEX, &[]), json!({ "annotations": notes })), None);
        assert_eq!(large.annotations.len(), 16);
        assert_eq!(large.annotations["org.opencontainers.image.description"].len(), 1000);
        assert!(large.annotations.contains_key("org.opencontainers.image.title"));
        assert!(!large.annotations.contains_key("org.opencontainers.image.authors"));
        // The dearest row that one can push.
        let dear = |n: usize| (format!("io.cnab.{}", "\"".repeat(100 + n)), json!("\\".repeat(1000)));
        let notes: serde_json::Map<_, _> = (0..20).map(dear).collect();
        let os = |n: usize| on(part(OCI, &n.to_string()), &"\"".repeat(40), &format!("{n:04}"));
        let children: Vec<_> = (0..80).map(os).collect();
        let dear = sum(with(index(INDEX, &children), json!({ "annotations": notes })), None);
        assert_eq!((dear.annotations.len(), dear.platforms.len()), (16, 64));
        assert!(json!(dear).to_string().len() < 50_000);
        let bell = json!({"io.cnab.a": "\u{7}", "io.cnab.b": "two\nlines"});
        let bell = sum(with(index(INDEX, &[]), json!({ "annotations": bell })), None);
        assert_eq!(bell.annotations.keys().collect::<Vec<_>>(), ["io.cnab.b"]);
    }

    #[test]
    fn rows_of_other_versions_read() {
        let summary = sum(image(OCI, OCI_CONFIG, &[OCI_LAYER]), Some(LINUX));
        assert!(!summary.is_outdated());
        let again: Summary = serde_json::from_value(json!(summary)).unwrap();
        assert_eq!(again, summary);
        let sparse: Summary = serde_json::from_value(json!({"kind": "hologram", "new": 1})).unwrap();
        assert!(sparse.kind == Kind::Unknown && sparse.is_outdated());
    }
}

/// Something done to a table.
type Damage = fn(&mut Value);

/// The table is refused whole when anything in it is not understood.
#[test]
fn tables_are_read_strictly() {
    let text = include_str!("../../../assets/kinds.json");
    let table: Value = serde_json::from_str(text).unwrap();
    assert!(Table::read(text).is_ok());
    let damages: [(&str, Damage); 10] = [
        ("unknown field", |table| table["extra"] = json!(1)),
        ("unknown field", |table| table["by_form"][0]["colour"] = json!("red")),
        ("unknown field", |table| table["children"][0]["colour"] = json!("red")),
        ("unknown field", |table| table["kinds"]["image"]["colour"] = json!("red")),
        ("no kind hologram", |table| table["by_type"][0]["kind"] = json!("hologram")),
        ("no format", |table| table["by_type"][0]["format"] = json!("hologram")),
        ("nothing is said of chart", |table| drop(table["kinds"].as_object_mut().unwrap().remove("chart"))),
        ("no conditions", |table| table["by_content"][0] = json!({"kind": "image"})),
        ("names no types", |table| drop(table["by_type"][0].as_object_mut().unwrap().remove("types"))),
        ("no rule decides plugin", |table| {
            let rules = table["by_type"].as_array_mut().unwrap();
            rules.retain(|rule| rule["kind"] != "plugin");
        }),
    ];
    for (expected, damage) in damages {
        let mut broken = table.clone();
        damage(&mut broken);
        // A rule of by_type without types may have no condition at all.
        let error = Table::read(&broken.to_string()).unwrap_err();
        assert!(error.contains(expected) || error.contains("no conditions"), "{expected}: {error}");
    }
}

proptest! {
    /// Whatever stands in a manifest, it is something, and its row stays small.
    #[test]
    fn anything_is_something(
        types in prop::collection::vec("[a-z]{1,9}/[a-z.+]{1,30}", 4),
        artifact in ".{0,300}",
        key in "(io.cnab.)?.{0,200}",
        value in ".{0,2000}",
        config in ".{0,100}",
    ) {
        let body = with(image(OCI, &types[0], &[&types[1], &types[2]]),
            json!({"artifactType": artifact, "annotations": {key: value}}));
        let manifest = Manifest::from_stored(MediaType::parse(OCI).unwrap(), body.to_string().as_bytes()).unwrap();
        let summary = Summary::of(&manifest, Some(config.as_bytes()), &[]);
        prop_assert!(serde_json::to_vec(&summary).unwrap().len() < 20_000);
        prop_assert!(summary.raw_type.is_none_or(|raw| raw.len() <= 255));
    }
}
