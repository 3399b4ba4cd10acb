//! Applications as one unit: what they are made of, what of it is here, and what keeps it.

use msr_lite::meta::Mode;
use msr_lite::oci::kind::Kind;
use msr_lite::oci::{Digest, Reference};
use msr_lite::registry::apps::{Application, Member, MemberRole, MemberState};
use msr_lite::registry::manifests::{Details, What};

use crate::app_fixture::{App, Client, Wanted, app_fixture, push_app};
use crate::harness::{Lab, on_each_engine};

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
    let line = |m: &'_ Member| (m.role, m.digest, m.state);
    application
        .members
        .iter()
        .map(|member| {
            let (role, digest, state) = line(member);
            (role, member.name.as_str(), digest, state)
        })
        .collect()
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
}

fn seen_tags(application: &Application) -> Vec<String> {
    application.members[1].tags.iter().map(ToString::to_string).collect()
}
