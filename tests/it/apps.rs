//! Applications as one unit: what they are made of, what of it is here, and what keeps it.

use msr_lite::meta::Mode;
use msr_lite::oci::kind::Kind;
use msr_lite::oci::{Digest, Reference};
use msr_lite::registry::apps::{Application, Member, MemberRole, MemberState};
use msr_lite::registry::manifests::{Details, What};
use serde_json::json;

use crate::app_fixture::{App, Client, Wanted, app_fixture, push_app};
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, on_each_engine, sha256};

pub(crate) async fn application(lab: &Lab, repo: &str, reference: &str) -> Option<Application> {
    let reference = Reference::parse(reference).unwrap();
    lab.server.registry().application(&repo.parse().unwrap(), &reference).await.unwrap()
}

pub(crate) async fn details(lab: &Lab, repo: &str, reference: impl ToString) -> Details {
    let reference = Reference::parse(&reference.to_string()).unwrap();
    lab.server.registry().manifest_details(&repo.parse().unwrap(), &reference).await.unwrap()
}

/// Role, name, digest and state of the members.
fn members(application: &Application) -> Vec<(MemberRole, &str, Option<Digest>, MemberState)> {
    fn line(member: &Member) -> (MemberRole, &str, Option<Digest>, MemberState) {
        (member.role, &member.name, member.digest, member.state)
    }
    application.members.iter().map(line).collect()
}

fn all_present(app: &App) -> Vec<(MemberRole, &'static str, Option<Digest>, MemberState)> {
    use MemberRole::{Component, Config, Invocation};
    use MemberState::Present;
    vec![
        (Config, "", Some(app.config), Present),
        (Invocation, "", Some(app.invocation), Present),
        (Component, "multi", Some(app.multi), Present),
        (Component, "web", Some(app.web), Present),
        (Component, "db", Some(app.db), Present),
    ]
}

on_each_engine! {
    // A regression test: lists counted a layer that two children share twice, details once.
    async fn lists_and_details_agree_about_the_size(lab) {
        let app = app_fixture(&lab).await;
        let seen = application(&lab, app.repo, "0.1.0").await.unwrap();
        assert_eq!((seen.manifest.content_size, seen.size), (app.size, app.size));
        let multi = seen.members[2].digest.unwrap();
        let multi = details(&lab, app.repo, multi).await;
        assert_eq!(multi.row.content_size, multi.size);
    }

    async fn thousands_of_components_that_are_one_large_index_do_not_multiply(lab) {
        const REPO: &str = "admin/multiplied";
        let (image, digest) = lab.push_image(REPO, "image", b"layer").await;
        let platform = |n: usize| {
            let mut child = descriptor(OCI_MANIFEST, &digest, image.to_string().len());
            child["platform"] = json!({ "os": "linux", "architecture": format!("a{n}") });
            child
        };
        let nested = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": (0..4_000).map(platform).collect::<Vec<_>>(),
        });
        let nested_digest = sha256(nested.to_string().as_bytes());
        assert!(lab.put_manifest(REPO, "nested", OCI_INDEX, &nested).await.status().is_success());
        let component = |n: usize| {
            let mut child = descriptor(OCI_INDEX, &nested_digest, nested.to_string().len());
            child["annotations"] =
                json!({ "io.cnab.manifest.type": "component", "io.cnab.component.name": format!("c{n}") });
            child
        };
        let index = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": (0..4_000).map(component).collect::<Vec<_>>(),
            "annotations": {
                "io.cnab.runtime_version": "v1.0.0",
                "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
            },
        });
        assert!(lab.put_manifest(REPO, "app", OCI_INDEX, &index).await.status().is_success());
        let seen = application(&lab, REPO, "app").await.unwrap();
        assert_eq!(seen.members.len(), 4_000);
        assert_eq!(seen.members[0].children.len(), 4_000, "the first is listed whole");
        let nested: usize = seen.members.iter().map(|member| member.children.len()).sum();
        assert!(nested <= 5_000, "{nested} platforms; sixteen million would take all memory");
        assert!(seen.members.iter().all(|member| member.state == MemberState::Present && member.size > 0));
    }

    async fn what_docker_app_0_8_pushes_is_one_unit(lab) {
        let app = app_fixture(&lab).await;
        let digest = app.digest.to_string();
        for reference in ["0.1.0", digest.as_str()] {
            let seen = application(&lab, app.repo, reference).await.unwrap();
            assert_eq!(seen.digest, app.digest);
            assert_eq!(seen.manifest.summary.as_ref().unwrap().kind, Kind::Application);
            assert_eq!(members(&seen), all_present(&app));
            assert_eq!(seen.invocation_tag.as_ref().unwrap().as_str(), "0.1.0-invoc");
            assert_eq!(seen.size, app.size, "each blob and manifest once");
            assert!(!seen.incomplete);
            let bundle = &seen.bundle;
            assert_eq!((bundle.name.as_str(), bundle.version.as_str()), ("lab-words", "0.1.0"));
            assert_eq!(bundle.parameters.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["port", "replicas"]);
            assert_eq!(bundle.credentials[0].name, "docker.context");
            assert_eq!(bundle.authors, ["alice <alice@registry.lab>"]);
            let (document, bytes) = seen.document.as_ref().unwrap();
            assert_eq!(*document, app.bundle);
            assert!(bytes.as_ref().unwrap().starts_with(b"{"));
            let multi = &seen.members[2];
            assert_eq!(multi.kind, Some(Kind::MultiArch));
            assert_eq!(multi.original_name.as_deref(), Some("registry.lab/lib/multi:1.0"));
            assert_eq!(multi.platforms, ["linux/amd64", "linux/arm64"]);
            let nested: Vec<_> = multi.children.iter().map(|child| (child.digest, child.platforms.join(","))).collect();
            let platforms = [(Some(app.platforms[0]), "linux/amd64".into()), (Some(app.platforms[1]), "linux/arm64".into())];
            assert_eq!(nested, platforms);
            assert!(multi.children.iter().all(|child| child.role == MemberRole::Platform && child.size > 20_000));
            let web = &seen.members[3];
            assert_eq!((web.kind, web.platforms.as_slice()), (Some(Kind::Image), ["linux/amd64".to_owned()].as_slice()));
        }
        assert_eq!(seen_tags(&application(&lab, app.repo, "0.1.0").await.unwrap()), ["0.1.0-invoc"]);
        assert_eq!(application(&lab, app.repo, "0.1.0-invoc").await, None, "an image, and no application");
        let unknown = Reference::parse("9").unwrap();
        assert!(lab.server.registry().application(&app.repo.parse().unwrap(), &unknown).await.is_err());
    }

    async fn other_clients_push_no_invocation_tag(lab) {
        for (client, kind, tag) in
            [(Client::App09, Kind::Application, "9"), (Client::CnabToOci, Kind::CnabBundle, "c")]
        {
            let app = push_app(&lab, Wanted { client, tag, foreign: true, ..Wanted::default() }).await;
            let seen = application(&lab, app.repo, tag).await.unwrap();
            assert_eq!(seen.manifest.summary.as_ref().unwrap().kind, kind);
            assert_eq!((seen.invocation_tag.as_ref(), seen.size), (None, app.size));
            let mut wanted = all_present(&app);
            wanted.push((MemberRole::Component, "cache", None, MemberState::Foreign));
            assert_eq!(members(&seen), wanted, "what only the bundle names is pulled from elsewhere");
            assert!(!seen.incomplete, "which is no fault");
            let names: Vec<_> = seen.members.iter().map(|member| member.original_name.as_deref()).collect();
            let invocation = format!("lab-words:{tag}-invoc");
            assert_eq!(names, [
                None, Some(invocation.as_str()), Some("registry.lab/lib/multi:1.0"), Some("registry.lab/lib/web:1.0"),
                Some("registry.lab/lib/db:1.0"), Some("registry.lab/lib/cache:2.0"),
            ]);
            let mut tags = seen.tags.iter().map(ToString::to_string);
            assert_eq!((tags.next(), tags.next()), (Some(tag.to_owned()), None));
        }
    }

    async fn the_manifest_list_that_clients_fall_back_to_is_the_same_application(lab) {
        let app = push_app(&lab, Wanted { fallback: true, ..Wanted::default() }).await;
        let seen = application(&lab, app.repo, "0.1.0").await.unwrap();
        assert_eq!(members(&seen), all_present(&app));
        assert_eq!(seen.document.unwrap().0, app.bundle);
        assert_eq!(seen.bundle.parameters.len(), 2);
        assert!(seen.invocation_tag.is_some());
    }

    async fn parts_may_be_missing_and_may_be_one(lab) {
        let app = push_app(&lab, Wanted { missing: &["multi", "web"], ..Wanted::default() }).await;
        let seen = application(&lab, app.repo, "0.1.0").await.unwrap();
        let states: Vec<_> = seen.members.iter().map(|member| (member.name.as_str(), member.state)).collect();
        let (here, gone) = (MemberState::Present, MemberState::Missing);
        assert_eq!(states, [("", here), ("", here), ("multi", gone), ("web", gone), ("db", here)]);
        assert!(seen.incomplete);
        assert_eq!((seen.size, seen.members[2].kind), (app.size, None));
        let shown = details(&lab, app.repo, "0.1.0").await;
        assert_eq!(shown.missing.len(), 2);
        assert_eq!(shown.row.missing, 2);

        // What comes later is seen, whatever the row counted at the push.
        let twins = push_app(&lab, Wanted { twins: true, tag: "0.2.0", ..Wanted::default() }).await;
        let seen = application(&lab, app.repo, "0.2.0").await.unwrap();
        assert_eq!(members(&seen), all_present(&twins), "one digest, two components");
        assert_eq!((twins.web, seen.size), (twins.db, twins.size));
        let seen = application(&lab, app.repo, "0.1.0").await.unwrap();
        assert!(!seen.incomplete);
        let shown = details(&lab, app.repo, "0.1.0").await;
        assert_eq!((shown.missing.len(), shown.row.missing), (0, 2));
        // The two share what they have alike.
        let other = [Reference::Tag("0.2.0".parse().unwrap())];
        assert_eq!(seen.members[3].shared_with, other);
        assert!(seen.members[4].shared_with.is_empty() && seen.members[0].shared_with.is_empty());
    }

    async fn the_invocation_tag_is_paired_by_digest(lab) {
        let app = app_fixture(&lab).await;
        lab.push_image(app.repo, "0.1.0-invoc", b"another image").await;
        let seen = application(&lab, app.repo, "0.1.0").await.unwrap();
        assert_eq!(seen.invocation_tag, None);
        assert_eq!(seen.members[1].state, MemberState::Present);
    }

    async fn an_image_shows_the_command_that_made_each_layer(lab) {
        let app = app_fixture(&lab).await;
        let shown = details(&lab, app.repo, "0.1.0-invoc").await;
        let What::Image { config, layers } = &shown.what else { panic!("{:?}", shown.what) };
        assert_eq!(config.as_ref().unwrap().platform, "linux/amd64");
        let commands: Vec<_> = layers.iter().map(|layer| layer.command.as_deref().unwrap()).collect();
        assert_eq!(commands, ["ADD file:0a in /", "RUN make invocation"]);
        assert!(layers.iter().all(|layer| layer.present));
        let [tag] = shown.tags.as_slice() else { panic!("{:?}", shown.tags) };
        assert!(tag.is_invocation && tag.pair.as_ref().unwrap().as_str() == "0.1.0");
        let roles: Vec<_> = shown.parents.iter().map(|p| (p.digest, p.tag.clone().unwrap().to_string(), p.role.as_str())).collect();
        assert_eq!(roles, [(app.digest, "0.1.0".to_owned(), "invocation")]);

        let multi = details(&lab, app.repo, app.multi).await;
        let What::MultiArch { platforms, attestations, others } = &multi.what else { panic!("{:?}", multi.what) };
        assert_eq!(platforms.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
        assert!(platforms.iter().all(|p| p.size.unwrap() > 20_000) && attestations.is_empty() && others.is_empty());
        assert_eq!(multi.parents[0].role, "component multi");
        let platform = details(&lab, app.repo, app.platforms[1]).await;
        assert_eq!(platform.parents[0].role, "platform linux/arm64");
        let config = details(&lab, app.repo, app.config).await;
        let What::Artifact { files, config: Some(bundle) } = &config.what else { panic!("{:?}", config.what) };
        assert!(files.is_empty() && bundle["parameters"]["port"]["default"] == "8080");
        assert!(matches!(details(&lab, app.repo, "0.1.0").await.what, What::Application(_)));
    }

    async fn attestations_are_no_platforms(lab) {
        let repo = "lab/provenance";
        let image = lab.image(repo, b"layer").await;
        let digest = sha256(image.to_string().as_bytes());
        lab.put_manifest(repo, &digest.to_string(), OCI_MANIFEST, &image).await;
        let statement = lab.push_blob(repo, b"{}").await;
        let mut layer = descriptor("application/vnd.in-toto+json", &statement, 2);
        layer["annotations"] = json!({ "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1" });
        let attestation = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &statement, 2), "layers": [layer],
        });
        let attested = sha256(attestation.to_string().as_bytes());
        lab.put_manifest(repo, &attested.to_string(), OCI_MANIFEST, &attestation).await;
        let entry = |digest, size, architecture: &str, variant: Option<&str>| {
            let mut entry = descriptor(OCI_MANIFEST, digest, size);
            let os = if architecture == "unknown" { "unknown" } else { "linux" };
            entry["platform"] = json!({ "architecture": architecture, "os": os });
            if let Some(variant) = variant {
                entry["platform"]["variant"] = variant.into();
            }
            entry
        };
        let gone = sha256(b"never pushed");
        let mut marked = entry(&attested, attestation.to_string().len(), "unknown", None);
        marked["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest,
        });
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            entry(&digest, image.to_string().len(), "amd64", None), entry(&gone, 100, "arm", Some("v7")), marked,
        ] });
        lab.put_manifest(repo, "1", OCI_INDEX, &index).await;
        let shown = details(&lab, repo, "1").await;
        assert_eq!(shown.missing, [gone]);
        let What::MultiArch { platforms, attestations, others } = shown.what else { panic!("{:?}", shown.what) };
        let names: Vec<_> = platforms.iter().map(|p| (p.name.as_str(), p.size.is_some())).collect();
        assert_eq!(names, [("linux/amd64", true), ("linux/arm/v7", false)]);
        let [about] = attestations.as_slice() else { panic!("{attestations:?}") };
        assert_eq!((about.of, about.descriptor.digest), (Some(digest), attested));
        assert_eq!(about.predicates, ["https://slsa.dev/provenance/v1"]);
        assert!(others.is_empty());
        assert_eq!(details(&lab, repo, attested).await.parents[0].role, "attestation");
    }

    async fn other_artifacts_show_their_files_and_their_config(lab) {
        let repo = "lab/charts";
        let chart = br#"{"name":"words","version":"0.1.0"}"#;
        let (config, content) = (lab.push_blob(repo, chart).await, lab.push_blob(repo, b"chart").await);
        let body = json!({
            "schemaVersion": 2,
            "config": descriptor("application/vnd.cncf.helm.config.v1+json", &config, chart.len()),
            "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &content, 5)],
        });
        lab.put_manifest(repo, "0.1.0", OCI_MANIFEST, &body).await;
        let shown = details(&lab, repo, "0.1.0").await;
        assert_eq!(shown.body, body.to_string());
        assert_eq!(shown.size, (body.to_string().len() + chart.len() + 5) as u64);
        let What::Artifact { files, config } = shown.what else { panic!("{:?}", shown.what) };
        assert_eq!((files.len(), files[0].digest, config.unwrap()["name"].as_str()), (1, content, Some("words")));

        // A config that is not here, one that is too large and one that is no JSON say nothing.
        let large = format!("\"{}\"", "x".repeat(70_000)).into_bytes();
        let large_digest = lab.push_blob(repo, &large).await;
        for (n, (digest, size)) in [(sha256(b"nowhere"), 1), (large_digest, large.len()), (content, 5)].iter().enumerate() {
            let mut body = body.clone();
            body["config"] = descriptor("application/vnd.cncf.helm.config.v1+json", digest, *size);
            lab.put_manifest(repo, &format!("odd-{n}"), OCI_MANIFEST, &body).await;
            let shown = details(&lab, repo, format!("odd-{n}")).await;
            assert!(matches!(shown.what, What::Artifact { config: None, .. }));
        }
    }

    async fn layers_that_live_elsewhere_and_configs_that_do_not_read(lab) {
        let repo = "lab/odd";
        let mut body = lab.image(repo, b"layer").await;
        let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        body["layers"].as_array_mut().unwrap().push(descriptor(foreign, &sha256(b"elsewhere"), 1000));
        lab.put_manifest(repo, "1", OCI_MANIFEST, &body).await;
        let shown = details(&lab, repo, "1").await;
        assert!(shown.missing.is_empty(), "nobody pushes such a layer");
        let What::Image { config: Some(config), layers } = shown.what else { panic!("{:?}", shown.what) };
        assert_eq!(config.platform, "linux/amd64");
        assert_eq!(layers.iter().map(|layer| layer.present).collect::<Vec<_>>(), [true, false]);
        assert!(layers.iter().all(|layer| layer.command.is_none()), "there is no history");
        // A large config is a file.
        let config = json!({ "os": "linux", "architecture": "arm64", "author": "x".repeat(100_000) }).to_string();
        let digest = lab.push_blob(repo, config.as_bytes()).await;
        body["config"] = descriptor("application/vnd.oci.image.config.v1+json", &digest, config.len());
        lab.put_manifest(repo, "2", OCI_MANIFEST, &body).await;
        let What::Image { config: Some(config), .. } = details(&lab, repo, "2").await.what else { panic!() };
        assert_eq!(config.author.unwrap().len(), 100_000);
    }
}

fn seen_tags(application: &Application) -> Vec<String> {
    application.members[1].tags.iter().map(ToString::to_string).collect()
}
