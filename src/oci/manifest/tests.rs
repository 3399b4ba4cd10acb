use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::oci::Algorithm;
use crate::oci::digest::DigestError;

const LIMITS: ManifestLimits = ManifestLimits { references: 5000, depth: 32 };
const OCI: &str = MediaType::OCI_MANIFEST;
const INDEX: &str = MediaType::OCI_INDEX;
const DOCKER: &str = MediaType::DOCKER_MANIFEST;
const LIST: &str = MediaType::DOCKER_LIST;
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// The digest of some content of this name.
fn digest(name: &str) -> Digest {
    Digest::of(Algorithm::Sha256, name.as_bytes())
}

fn descriptor(media_type: &str, name: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(name).to_string(), "size": 7})
}

fn image(layers: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI, "config": descriptor(CONFIG, "config"), "layers": layers})
}

fn index(manifests: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
}

/// `object` with one more or another field.
fn with(mut object: Value, field: &str, value: Value) -> Value {
    object.as_object_mut().unwrap().insert(field.to_owned(), value);
    object
}

fn without(mut object: Value, field: &str) -> Value {
    object.as_object_mut().unwrap().remove(field).unwrap();
    object
}

fn push(content_type: &str, body: &Value) -> Result<Manifest, ManifestError> {
    Manifest::from_pushed(Some(content_type), body.to_string().as_bytes(), LIMITS)
}

fn push_text(content_type: &str, body: &str) -> Result<Manifest, ManifestError> {
    Manifest::from_pushed(Some(content_type), body.as_bytes(), LIMITS)
}

fn roles(manifest: &Manifest) -> Vec<(Role, Digest)> {
    manifest.references().map(|reference| (reference.role, reference.descriptor.digest)).collect()
}

mod what_clients_push {
    use super::*;

    #[test]
    fn a_docker_image_with_the_fields_in_any_order() {
        let body = format!(
            r#"{{ "schemaVersion": 2,
                  "config": {{"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1837, "digest": "{}"}},
                  "layers": [{{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 462, "digest": "{}"}}],
                  "mediaType": "{DOCKER}" }}
            "#,
            digest("config"),
            digest("layer")
        );
        let manifest = push_text(DOCKER, &body).unwrap();
        assert_eq!(manifest.media_type.as_str(), DOCKER);
        assert_eq!(roles(&manifest), [(Role::Config, digest("config")), (Role::Layer, digest("layer"))]);
        assert_eq!(manifest.config_media_type.as_deref(), Some("application/vnd.docker.container.image.v1+json"));
        assert_eq!(manifest.parts[0].descriptor.size, 1837);
        assert!(!manifest.is_index);
    }

    /// The config manifest of docker app and cnab-to-oci: no `mediaType`, `"layers":null`.
    #[test]
    fn a_cnab_config_manifest() {
        let config = descriptor("application/vnd.cnab.config.v1+json", "bundle");
        let body = json!({"schemaVersion": 2, "config": config, "layers": null});
        let manifest = push(OCI, &body).unwrap();
        assert_eq!(roles(&manifest), [(Role::Config, digest("bundle"))]);
        assert_eq!(manifest.referrer_artifact_type(), Some("application/vnd.cnab.config.v1+json"));
        // Its fallback is an image by name, without layers (0.8) or with its config once more as a layer (0.9).
        let docker_config = "application/vnd.docker.container.image.v1+json";
        let body = json!({"schemaVersion": 2, "mediaType": DOCKER, "config": descriptor(docker_config, "bundle"),
            "layers": [descriptor(docker_config, "bundle")]});
        let manifest = push(DOCKER, &body).unwrap();
        assert_eq!(roles(&manifest), [(Role::Config, digest("bundle")), (Role::Layer, digest("bundle"))]);
        assert_eq!(manifest.referenced_digests(), [digest("bundle")]);
    }

    /// The index of an application: no `mediaType`, no platforms, annotations on both levels. Clients fall back to
    /// a Docker list with the same annotations, although that format has none.
    #[test]
    fn an_application_index_and_its_fallback() {
        let child = |media_type, name: &str, role: &str| {
            with(descriptor(media_type, name), "annotations", json!({"io.cnab.manifest.type": role}))
        };
        let children =
            json!([child(OCI, "a", "config"), child(DOCKER, "b", "invocation"), child(LIST, "c", "component")]);
        let annotations = json!({"io.docker.type": "app", "io.cnab.keywords": "[\"lab\",\"cnab\"]"});
        let body = json!({"schemaVersion": 2, "manifests": children, "annotations": annotations});
        for (content_type, body) in [(INDEX, body.clone()), (LIST, with(body, "mediaType", json!(LIST)))] {
            let manifest = push(content_type, &body).unwrap();
            assert!(manifest.is_index);
            assert_eq!(manifest.media_type.as_str(), content_type);
            assert_eq!(roles(&manifest), ["a", "b", "c"].map(|name| (Role::Child, digest(name))));
            assert_eq!(manifest.annotations["io.docker.type"], "app");
            assert_eq!(manifest.annotations["io.cnab.keywords"], "[\"lab\",\"cnab\"]");
            let invocation = manifest.parts[1].descriptor.annotations.as_ref().unwrap();
            assert_eq!(invocation["io.cnab.manifest.type"], "invocation");
            assert_eq!(manifest.referrer_artifact_type(), None);
        }
    }

    #[test]
    fn a_buildkit_cache_lists_layers_as_manifests() {
        let body = index(&[
            with(descriptor(LAYER, "layer"), "annotations", json!({"buildkit/createdat": "2026-11-22T00:00:00Z"})),
            descriptor("application/vnd.buildkit.cacheconfig.v0", "cache"),
            descriptor(OCI, "image"),
            descriptor("application/vnd.docker.distribution.manifest.v1+prettyjws", "old"),
        ]);
        let expected = [
            (Role::ForeignChild, digest("layer")),
            (Role::ForeignChild, digest("cache")),
            (Role::Child, digest("image")),
            (Role::ForeignChild, digest("old")),
        ];
        assert_eq!(roles(&push(INDEX, &body).unwrap()), expected);
    }

    #[test]
    fn an_artifact_with_a_subject() {
        let subject = descriptor(OCI, "subject");
        let body = json!({"schemaVersion": 2, "mediaType": OCI, "artifactType": "application/vnd.dev.sigstore.bundle+json;version=0.3",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest("{}").to_string(), "size": 2, "data": "e30="},
            "layers": [descriptor("application/vnd.dev.sigstore.bundle+json;version=0.3", "bundle")], "subject": subject});
        let manifest = push(OCI, &body).unwrap();
        assert_eq!(manifest.subject.as_ref().unwrap().digest, digest("subject"));
        assert_eq!(manifest.referrer_artifact_type(), Some("application/vnd.dev.sigstore.bundle+json;version=0.3"));
        assert_eq!(manifest.parts[1].descriptor.media_type.as_str(), "application/vnd.dev.sigstore.bundle+json");
        assert!(!manifest.referenced_digests().contains(&digest("subject")), "a subject need not exist");
        // An index may have one too, and an empty artifactType counts as none.
        let body = with(with(index(&[]), "subject", descriptor(OCI, "subject")), "artifactType", json!(""));
        let manifest = push(INDEX, &body).unwrap();
        assert_eq!((manifest.subject.unwrap().digest, manifest.artifact_type), (digest("subject"), None));
    }

    #[test]
    fn the_withdrawn_artifact_manifest() {
        let body = json!({"mediaType": MediaType::OCI_ARTIFACT, "artifactType": "text/spdx", "blobs": [descriptor("text/spdx", "sbom")]});
        let manifest = push(MediaType::OCI_ARTIFACT, &body).unwrap();
        assert_eq!(roles(&manifest), [(Role::Layer, digest("sbom"))]);
        assert_eq!(manifest.referrer_artifact_type(), Some("text/spdx"));
    }

    #[test]
    fn nothing_at_all_in_the_lists() {
        for body in [image(&[]), with(image(&[]), "layers", Value::Null), without(image(&[]), "layers")] {
            assert_eq!(roles(&push(OCI, &body).unwrap()), [(Role::Config, digest("config"))]);
        }
        for body in [index(&[]), with(index(&[]), "manifests", Value::Null)] {
            assert!(push(INDEX, &body).unwrap().parts.is_empty());
        }
    }

    #[test]
    fn unknown_fields_and_data_are_nobodys_business() {
        let layer = with(with(descriptor(LAYER, "layer"), "data", json!("AAAA")), "org.example", json!([{"a": null}]));
        let body = with(with(image(&[layer]), "org.example.custom", json!({"digest": 1})), "blobs", json!(3));
        assert_eq!(push(OCI, &body).unwrap().references().count(), 2);
    }

    #[test]
    fn sha512_everywhere() {
        let long = |name: &str| Digest::of(Algorithm::Sha512, name.as_bytes());
        let layer = with(descriptor(LAYER, "x"), "digest", json!(long("layer").to_string()));
        let body =
            with(image(&[layer]), "subject", with(descriptor(OCI, "x"), "digest", json!(long("subject").to_string())));
        let manifest = push(OCI, &body).unwrap();
        assert_eq!(manifest.parts[1].descriptor.digest, long("layer"));
        assert_eq!(manifest.subject.unwrap().digest, long("subject"));
    }

    /// distribution's own encoder leaves out a type that is empty and a size that is zero.
    #[test]
    fn what_encoders_omit() {
        let body = image(&[json!({"digest": digest("layer").to_string()})]);
        let layer = &push(OCI, &body).unwrap().parts[1].descriptor;
        assert_eq!((layer.media_type.as_str(), layer.size), ("application/octet-stream", 0));
    }

    /// The conformance suite's large manifest: 390 annotations of 10 kB.
    #[test]
    fn a_manifest_of_four_megabytes() {
        let annotations: serde_json::Map<_, _> =
            (0..390).map(|i| (format!("large-annotation-{i}"), json!("A".repeat(10_000)))).collect();
        let body = with(image(&[descriptor(LAYER, "layer")]), "annotations", Value::Object(annotations));
        let manifest = push(OCI, &body).unwrap();
        assert_eq!(manifest.annotations.len(), 390);
        assert_eq!(manifest.annotations["large-annotation-389"].len(), 10_000);
    }
}

mod references {
    use super::*;

    #[test]
    fn nondistributable_layers_are_left_out() {
        let names = [
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ];
        let urls = json!(["https://store.example.com/layer"]);
        let mut layers: Vec<_> = names.iter().map(|name| with(descriptor(name, name), "urls", urls.clone())).collect();
        // An ordinary layer with an address of its own is pushed like any other.
        layers.push(with(descriptor(LAYER, "layer"), "urls", urls));
        let manifest = push(OCI, &image(&layers)).unwrap();
        assert_eq!(roles(&manifest), [(Role::Config, digest("config")), (Role::Layer, digest("layer"))]);
    }

    #[test]
    fn a_digest_counts_once_for_each_role() {
        let body = image(&[descriptor(LAYER, "layer"), descriptor(LAYER, "other"), descriptor(LAYER, "layer")]);
        let manifest = push(OCI, &body).unwrap();
        assert_eq!(manifest.referenced_digests(), ["config", "layer", "other"].map(digest));
        assert_eq!(manifest.references().count(), 3);
    }

    /// Every descriptor stays, in order, with what stands beside it; needed here is each digest once.
    #[test]
    fn all_parts_are_kept() {
        let web = |name: &str| with(descriptor(DOCKER, "web"), "annotations", json!({"io.cnab.component.name": name}));
        let manifest = push(INDEX, &index(&[web("front"), web("back")])).unwrap();
        let names: Vec<_> = manifest.children().map(|child| child.annotation("io.cnab.component.name")).collect();
        assert_eq!(names, [Some("front"), Some("back")]);
        assert_eq!((manifest.references().count(), manifest.referenced_digests().len()), (1, 1));
        let foreign = with(
            descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "foreign"),
            "urls",
            json!(["https://registry.lab/foreign", 7]),
        );
        let manifest = push(DOCKER, &with(image(&[foreign, descriptor(LAYER, "layer")]), "mediaType", json!(DOCKER)));
        let manifest = manifest.unwrap();
        let layers: Vec<_> = manifest.layers().map(|layer| layer.digest).collect();
        assert_eq!(layers, ["foreign", "layer"].map(digest));
        assert_eq!(manifest.layers().next().unwrap().urls, ["https://registry.lab/foreign"]);
        assert_eq!(manifest.config().unwrap().digest, digest("config"));
    }

    #[test]
    fn platforms() {
        let child = |platform: Value| with(descriptor(OCI, "child"), "platform", platform);
        let read = |platform| {
            let manifest = push(INDEX, &index(&[child(platform)]))?;
            Ok(manifest.children().next().unwrap().platform.as_deref().cloned())
        };
        let full = json!({"architecture": "amd64", "os": "windows", "os.version": "10.0.1", "os.features": ["win32k"],
            "variant": "v2", "features": ["sse4"]});
        let platform = read(full).unwrap().unwrap();
        assert_eq!(
            (platform.to_string().as_str(), platform.os_version.as_deref()),
            ("windows/amd64/v2", Some("10.0.1"))
        );
        assert_eq!(platform.os_features, ["win32k"]);
        assert_eq!(read(Value::Null), Ok(None));
        // It describes and decides nothing, so values that make no sense are left out.
        let odd = read(json!({"architecture": 7, "os": "linux", "os.features": null})).unwrap().unwrap();
        assert_eq!((odd.os.as_str(), odd.architecture.as_str()), ("linux", ""));
        // But it means the same to everybody.
        let spelling = ManifestError::Spelling { found: "OS".to_owned(), meant: "os" };
        assert_eq!(read(json!({"os": "unknown", "OS": "linux"})), Err(spelling));
        assert!(matches!(read(json!("linux")), Err(ManifestError::Malformed { .. })));
        let stored = index(&[child(json!("linux")), child(json!({"OS": "linux", "os": "plan9"}))]).to_string();
        let stored = Manifest::from_stored(MediaType::parse(INDEX).unwrap(), stored.as_bytes()).unwrap();
        let platforms: Vec<_> = stored.children().map(|child| child.platform.as_ref().map(|p| p.os.clone())).collect();
        assert_eq!(platforms, [None, Some("plan9".to_owned())]);
    }

    /// The config's type stands in rows, so it is no longer than a media type, parameters and all.
    #[test]
    fn config_types_are_bounded() {
        let typed =
            |text: String| with(image(&[]), "config", with(descriptor("a/b", "config"), "mediaType", json!(text)));
        assert!(push(OCI, &typed("text/plain; charset=utf-8".to_owned())).is_ok());
        let error = push(OCI, &typed(format!("text/plain;{}", "x".repeat(9000)))).unwrap_err();
        assert!(error.to_string().starts_with("config.mediaType must be a media type"), "{error}");
    }

    #[test]
    fn no_more_than_the_limit() {
        let limits = ManifestLimits { references: 3, depth: 32 };
        let push = |body: &Value| Manifest::from_pushed(None, body.to_string().as_bytes(), limits);
        let layers: Vec<_> = (0..9).map(|i| descriptor(LAYER, &i.to_string())).collect();
        // The config is a reference as well; the subject is none.
        assert!(push(&with(image(&layers[..2]), "subject", descriptor(OCI, "subject"))).is_ok());
        assert_eq!(push(&image(&layers[..3])), Err(ManifestError::TooManyReferences { found: 4, limit: 3 }));
        assert_eq!(push(&image(&layers)), Err(ManifestError::TooManyReferences { found: 10, limit: 3 }));
        assert!(push(&index(&layers[..3])).is_ok());
        assert_eq!(push(&index(&layers)), Err(ManifestError::TooManyReferences { found: 9, limit: 3 }));
    }

    #[test]
    fn sizes() {
        let sized = |size: Value| with(descriptor(LAYER, "layer"), "size", size);
        let big = (1_u64 << 53) + 1;
        assert_eq!(push(OCI, &image(&[sized(json!(big))])).unwrap().parts[1].descriptor.size, big);
        assert_eq!(push(OCI, &image(&[sized(json!(u64::MAX))])), Err(ManifestError::SizeOverflow));
        for size in [json!(-1), json!(1.5), json!("7"), json!(true), json!([]), json!(18_446_744_073_709_551_616_f64)] {
            let expected = "layers[1].size must be a whole number of bytes that is not negative";
            let body = image(&[descriptor(LAYER, "fine"), sized(size)]);
            assert_eq!(push(OCI, &body).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn digests_that_are_none() {
        let unknown = with(descriptor(LAYER, "layer"), "digest", json!(format!("blake3:{}", "a".repeat(64))));
        let error = push(OCI, &image(&[unknown])).unwrap_err();
        assert_eq!(
            error,
            ManifestError::Digest { field: "layers[0].digest".to_owned(), reason: DigestError::Algorithm }
        );
        assert!(error.to_string().contains("sha256 or sha512"), "{error}");
        for (digest, reason) in [
            (format!("sha256:{}", "A".repeat(64)), DigestError::Hex),
            ("sha256:abc".to_owned(), DigestError::Hex),
            ("../../etc".to_owned(), DigestError::Form),
        ] {
            let body = with(image(&[]), "subject", with(descriptor(OCI, "x"), "digest", json!(digest)));
            assert_eq!(push(OCI, &body), Err(ManifestError::Digest { field: "subject.digest".to_owned(), reason }));
        }
        let body = index(&[without(descriptor(OCI, "x"), "digest")]);
        assert_eq!(push(INDEX, &body), Err(ManifestError::Missing { field: "manifests[0].digest".to_owned() }));
    }
}

mod types {
    use super::*;

    #[test]
    fn header_then_media_type_then_shape() {
        let decide = |header: Option<&str>, body: &Value| {
            let manifest = Manifest::from_pushed(header, body.to_string().as_bytes(), LIMITS);
            manifest.map(|manifest| manifest.media_type.as_str().to_owned())
        };
        let named = image(&[]);
        let unnamed = without(image(&[]), "mediaType");
        for (header, body, expected) in [
            (Some(OCI), &named, OCI),
            (Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), &named, OCI),
            (Some(""), &named, OCI),
            (None, &with(unnamed.clone(), "mediaType", json!(DOCKER)), DOCKER),
            (Some(DOCKER), &unnamed, DOCKER),
            (Some(DOCKER), &with(unnamed.clone(), "mediaType", json!("")), DOCKER),
            (None, &unnamed, OCI),
            (None, &without(index(&[]), "mediaType"), INDEX),
            (None, &json!({"blobs": []}), MediaType::OCI_ARTIFACT),
        ] {
            assert_eq!(decide(header, body).as_deref(), Ok(expected), "{header:?} {body}");
        }
        assert_eq!(decide(None, &json!({"schemaVersion": 2})), Err(ManifestError::NoType));
        let mismatch = decide(Some(DOCKER), &named).unwrap_err();
        assert!(matches!(mismatch, ManifestError::TypeMismatch { .. }), "{mismatch}");
        assert!(mismatch.to_string().contains(DOCKER) && mismatch.to_string().contains(OCI), "{mismatch}");
    }

    #[test]
    fn unknown_types_are_refused() {
        let unnamed = without(image(&[]), "mediaType");
        for given in
            ["application/json", "application/octet-stream", "application/vnd.oci.image.manifest.v9+json", LAYER]
        {
            let given = MediaType::parse(given).unwrap();
            assert_eq!(push(given.as_str(), &unnamed), Err(ManifestError::UnknownType { given: given.clone() }));
            let body = with(unnamed.clone(), "mediaType", json!(given));
            assert_eq!(
                Manifest::from_pushed(None, body.to_string().as_bytes(), LIMITS),
                Err(ManifestError::UnknownType { given })
            );
        }
        assert!(matches!(push("application/json", &image(&[])), Err(ManifestError::TypeMismatch { .. })));
        assert!(matches!(push("*/*", &unnamed), Err(ManifestError::ContentType { .. })));
        assert!(push(&"x".repeat(9000), &unnamed).unwrap_err().to_string().len() < 300, "messages stay short");
    }

    #[test]
    fn schema_one_is_refused_with_advice() {
        let body = json!({"schemaVersion": 1, "name": "lab/web", "tag": "1", "architecture": "amd64",
            "fsLayers": [{"blobSum": digest("layer").to_string()}], "history": [], "signatures": []});
        for content_type in [SCHEMA_ONE[0], SCHEMA_ONE[1], "application/json", OCI] {
            let error = push(content_type, &body).unwrap_err();
            assert_eq!(error, ManifestError::SchemaOne);
            assert!(error.to_string().contains("skopeo copy"), "{error}");
        }
        assert_eq!(push(SCHEMA_ONE[0], &image(&[])), Err(ManifestError::SchemaOne));
        assert_eq!(push(OCI, &with(image(&[]), "fsLayers", Value::Null)), Err(ManifestError::SchemaOne));
    }

    #[test]
    fn schema_version_is_two() {
        for body in [
            without(image(&[]), "schemaVersion"),
            with(image(&[]), "schemaVersion", json!(3)),
            with(image(&[]), "schemaVersion", json!("2")),
            with(image(&[]), "schemaVersion", Value::Null),
        ] {
            assert_eq!(push(OCI, &body), Err(ManifestError::SchemaVersion));
        }
    }

    /// CVE-2021-41190: one digest that is an image to one client and an index to another.
    #[test]
    fn a_document_is_one_thing() {
        let both = with(image(&[]), "manifests", json!([descriptor(OCI, "child")]));
        let unnamed = without(both.clone(), "mediaType");
        for (header, body) in [(Some(OCI), &both), (Some(OCI), &unnamed), (Some(INDEX), &unnamed), (None, &unnamed)] {
            let error = Manifest::from_pushed(header, body.to_string().as_bytes(), LIMITS).unwrap_err();
            assert!(matches!(error, ManifestError::TwoShapes { .. }), "{header:?}: {error}");
        }
        for (content_type, body, field) in [
            (OCI, with(image(&[]), "manifests", json!([])), "manifests"),
            (DOCKER, with(without(image(&[]), "mediaType"), "manifests", Value::Null), "manifests"),
            (INDEX, with(index(&[]), "layers", Value::Null), "layers"),
            (LIST, with(without(index(&[]), "mediaType"), "config", Value::Null), "config"),
            (MediaType::OCI_ARTIFACT, json!({"blobs": [], "layers": []}), "layers"),
            (INDEX, without(image(&[]), "mediaType"), "config"),
        ] {
            let media_type = MediaType::parse(content_type).unwrap();
            assert_eq!(push(content_type, &body), Err(ManifestError::TwoShapes { media_type, field }));
        }
        let missing = |field: &str| Err(ManifestError::Missing { field: field.to_owned() });
        assert_eq!(push(INDEX, &without(index(&[]), "manifests")), missing("manifests"));
        assert_eq!(push(OCI, &without(image(&[]), "config")), missing("config"));
        assert_eq!(push(OCI, &with(image(&[]), "config", Value::Null)), missing("config"));
    }
}

mod json {
    use super::*;

    #[test]
    fn what_is_no_json_object() {
        for body in ["", "{", "{}{}", "hello", "{\"a\":1,}", "\u{feff}{}", "{\"a\": \"\u{1}\"}"] {
            assert!(matches!(push_text(OCI, body), Err(ManifestError::NotJson(_))), "{body:?}");
        }
        for body in ["null", "[]", "7", "\"text\"", "true", "-1", "1.5", " [ {} ] "] {
            assert_eq!(push_text(OCI, body), Err(ManifestError::NotAnObject), "{body:?}");
        }
        assert!(matches!(
            Manifest::from_pushed(Some(OCI), b"{\"a\": \"\xff\"}", LIMITS),
            Err(ManifestError::NotJson(_))
        ));
    }

    #[test]
    fn depth() {
        let nested = |levels: usize, (open, close): (&str, &str)| {
            let body = image(&[]).to_string();
            let deep = format!("{}0{}", open.repeat(levels), close.repeat(levels));
            format!("{},\"x\":{deep}}}", body.strip_suffix('}').unwrap())
        };
        for brackets in [("[", "]"), ("{\"a\":", "}")] {
            assert!(push_text(OCI, &nested(31, brackets)).is_ok());
            assert_eq!(push_text(OCI, &nested(32, brackets)), Err(ManifestError::TooDeep { limit: 32 }));
            // Neither the check nor the lenient reading follows the nesting with the stack.
            assert_eq!(push_text(OCI, &nested(200_000, brackets)), Err(ManifestError::TooDeep { limit: 32 }));
            let stored = Manifest::from_stored(MediaType::parse(OCI).unwrap(), nested(200_000, brackets).as_bytes());
            assert_eq!(stored.unwrap().references().count(), 1);
        }
        assert_eq!(push_text(OCI, &"[".repeat(1_000_000)), Err(ManifestError::TooDeep { limit: 32 }));
        // Brackets within texts and after escaped quotes do not count.
        let text = format!("{}\"{}", "[{".repeat(100), "\\\"[{".repeat(100));
        assert!(push(OCI, &with(image(&[]), "x", json!(text))).is_ok());
        // Nor do siblings.
        assert!(push(OCI, &with(image(&[]), "x", json!(vec![json!([[]]); 100]))).is_ok());
    }

    #[test]
    fn fields_stand_once() {
        let image = image(&[descriptor(LAYER, "layer")]).to_string();
        for (field, body) in [
            ("layers", format!("{},\"layers\":[]}}", image.strip_suffix('}').unwrap())),
            ("custom", format!("{},\"custom\":1,\"custom\":2}}", image.strip_suffix('}').unwrap())),
            ("size", image.replacen("\"size\":7", "\"size\":7,\"size\":8", 1)),
            // Escapes make no other name.
            ("layers", format!("{},\"l\\u0061yers\":[]}}", image.strip_suffix('}').unwrap())),
        ] {
            assert_eq!(push_text(OCI, &body), Err(ManifestError::Repeated { field: field.to_owned() }), "{body}");
        }
    }

    #[test]
    fn no_more_than_a_thousand_fields() {
        let custom = |count: usize| (0..count).fold(image(&[]), |body, i| with(body, &format!("x{i}"), json!(i)));
        assert!(push(OCI, &custom(996)).is_ok());
        assert_eq!(push(OCI, &custom(997)), Err(ManifestError::TooManyFields { limit: 1000 }));
        let body = custom(2000).to_string();
        assert_eq!(
            Manifest::from_stored(MediaType::parse(OCI).unwrap(), body.as_bytes()).unwrap().references().count(),
            1
        );
    }

    /// Go's decoder takes `Layers` for `layers`, ours does not; so nobody may write it.
    #[test]
    fn fields_are_spelt_as_specified() {
        let body = image(&[descriptor(LAYER, "layer")]);
        for (found, meant) in
            [("Layers", "layers"), ("MANIFESTS", "manifests"), ("layer\u{17f}", "layers"), ("mediatype", "mediaType")]
        {
            let expected = ManifestError::Spelling { found: found.to_owned(), meant };
            assert_eq!(push(OCI, &with(body.clone(), found, json!([]))), Err(expected));
        }
        let layer = with(descriptor(LAYER, "layer"), "Digest", json!(digest("other").to_string()));
        let expected = ManifestError::Spelling { found: "Digest".to_owned(), meant: "digest" };
        assert_eq!(push(OCI, &image(&[layer])), Err(expected));
    }

    #[test]
    fn values_of_another_kind() {
        for (field, value, expected) in [
            ("layers", json!({}), "layers must be a list of descriptors"),
            ("layers", json!([7]), "layers[0] must be a descriptor"),
            ("layers", json!([null]), "layers[0] must be a descriptor"),
            ("config", json!("text"), "config must be a descriptor"),
            ("subject", json!([]), "subject must be a descriptor"),
            ("artifactType", json!(7), "artifactType must be a text"),
            ("mediaType", json!(7), "mediaType must be a media type, of the form type/subtype"),
            ("mediaType", json!("oci"), "mediaType must be a media type, of the form type/subtype"),
            ("annotations", json!([]), "annotations must be an object of texts"),
            ("annotations", json!({"a": "b", "c": 1}), "annotations.c must be a text"),
            (
                "layers",
                json!([with(descriptor(LAYER, "x"), "mediaType", json!("oci"))]),
                "layers[0].mediaType must be a media type, of the form type/subtype",
            ),
            (
                "layers",
                json!([with(descriptor(LAYER, "x"), "annotations", json!({"a": null}))]),
                "layers[0].annotations.a must be a text",
            ),
        ] {
            assert_eq!(push(OCI, &with(image(&[]), field, value)).unwrap_err().to_string(), expected);
        }
    }
}

/// Whatever is refused at the door today was perhaps accepted by an earlier version: all that can be read of it is.
#[test]
fn stored_manifests_are_read_leniently() {
    let good = descriptor(LAYER, "good");
    let bad_annotations = with(descriptor(LAYER, "layer"), "annotations", json!({"a": 1, "b": "c"}));
    let bad_fields =
        with(with(with(descriptor(LAYER, "odd"), "size", json!(-1)), "mediaType", json!("oci")), "Digest", json!(1));
    let unreadable = with(descriptor(LAYER, "x"), "digest", json!("md5:1"));
    let body = json!({"schemaVersion": 7, "mediaType": LIST, "manifests": 7, "artifactType": [],
        "layers": [good, bad_annotations, bad_fields, unreadable, 7, null], "subject": 7, "annotations": {"x": "y", "z": 1}});
    assert!(push(OCI, &body).is_err());
    let manifest = Manifest::from_stored(MediaType::parse(OCI).unwrap(), body.to_string().as_bytes()).unwrap();
    assert_eq!(roles(&manifest), ["good", "layer", "odd"].map(|name| (Role::Layer, digest(name))));
    assert_eq!(manifest.parts[1].descriptor.annotations.as_ref().unwrap()["b"], "c");
    assert_eq!((manifest.parts[2].descriptor.size, manifest.annotations["x"].as_str()), (0, "y"));
    assert_eq!((manifest.subject, manifest.artifact_type), (None, None));
    // A type that a later version dropped is read by its shape.
    let media_type = MediaType::parse("application/vnd.example.index.v1+json").unwrap();
    let manifest =
        Manifest::from_stored(media_type, index(&[descriptor(OCI, "child")]).to_string().as_bytes()).unwrap();
    assert_eq!((roles(&manifest), manifest.is_index), (vec![(Role::Child, digest("child"))], true));
    assert!(Manifest::from_stored(MediaType::parse(OCI).unwrap(), b"[]").is_err());
}

fn any_descriptor() -> impl Strategy<Value = Value> {
    let media_type = prop::sample::select(vec![OCI, INDEX, DOCKER, LIST, LAYER, CONFIG, "text/plain"]);
    (media_type, "[a-e]", 0..1_u64 << 60)
        .prop_map(|(media_type, name, size)| with(descriptor(media_type, &name), "size", json!(size)))
}

fn any_manifest() -> impl Strategy<Value = Value> {
    (prop::collection::vec(any_descriptor(), 0..6), prop::option::of(any_descriptor()), any::<bool>()).prop_map(
        |(descriptors, subject, is_index)| {
            let body = if is_index { index(&descriptors) } else { image(&descriptors) };
            subject.into_iter().fold(body, |body, subject| with(body, "subject", subject))
        },
    )
}

proptest! {
    #[test]
    fn every_well_formed_manifest_is_read_and_read_again_alike(body in any_manifest()) {
        let manifest = Manifest::from_pushed(None, body.to_string().as_bytes(), LIMITS).unwrap();
        prop_assert_eq!(&Manifest::from_stored(manifest.media_type.clone(), body.to_string().as_bytes()).unwrap(), &manifest);
        let list = body["manifests"].as_array().or(body["layers"].as_array()).unwrap();
        for descriptor in list {
            let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
            prop_assert!(manifest.referenced_digests().contains(&digest));
        }
        prop_assert_eq!(manifest.subject.is_some(), body.get("subject").is_some());
    }

    /// Bytes at random never panic, and what the door lets in the store reads alike.
    #[test]
    fn damaged_manifests_are_refused_or_read_alike(body in any_manifest(), at: prop::sample::Index, byte: u8) {
        let mut bytes = body.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(manifest) = Manifest::from_pushed(None, &bytes, LIMITS) {
            prop_assert_eq!(&Manifest::from_stored(manifest.media_type.clone(), &bytes).unwrap(), &manifest);
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in "[\\[\\]{}\":,0-9a-z\\\\]{0,60}") {
        let _ = Manifest::from_pushed(None, &bytes, LIMITS);
        let _ = Manifest::from_pushed(Some(OCI), text.as_bytes(), LIMITS);
    }

    /// The scan of brackets agrees with the depth of the values.
    #[test]
    fn depth_is_counted_right(value in any_json()) {
        let depth = depth_of(&value);
        let text = value.to_string();
        prop_assert!(!document::nests_deeper(text.as_bytes(), depth));
        prop_assert!(depth == 0 || document::nests_deeper(text.as_bytes(), depth - 1));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u64>().prop_map(Value::from),
        "[\\[\\]{}\"\\\\a]{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[\\[\\]{}\"\\\\a]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}
