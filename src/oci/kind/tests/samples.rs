//! Manifests of every kind, as their clients write them.

#![allow(clippy::needless_pass_by_value, reason = "what json!() makes is handed on")]

use serde_json::{Value, json};

use crate::oci::kind::{ImageConfig, Kind, KindVerdict};
use crate::oci::manifest::ManifestLimits;
use crate::oci::{Algorithm, Digest, Manifest, MediaType, Tag};

pub(super) const LIMITS: ManifestLimits = ManifestLimits { references: 5000, depth: 32 };
pub(super) const OCI: &str = MediaType::OCI_MANIFEST;
pub(super) const INDEX: &str = MediaType::OCI_INDEX;
pub(super) const DOCKER: &str = MediaType::DOCKER_MANIFEST;
pub(super) const LIST: &str = MediaType::DOCKER_LIST;
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(super) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(super) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub(super) const ATTESTED_BY: &str = "vnd.docker.reference.type";

pub(super) fn digest(name: &str) -> Digest {
    Digest::of(Algorithm::Sha256, name.as_bytes())
}

/// A descriptor of some content of its own for each call's `name`.
pub(super) fn part(media_type: &str, name: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(name).to_string(), "size": 100})
}

pub(super) fn noted(part: Value, annotations: Value) -> Value {
    with(part, json!({ "annotations": annotations }))
}

pub(super) fn on(part: Value, os: &str, architecture: &str) -> Value {
    with(part, json!({"platform": {"os": os, "architecture": architecture}}))
}

/// `object` with more or other fields.
pub(super) fn with(mut object: Value, more: Value) -> Value {
    let Value::Object(more) = more else { unreachable!("fields") };
    object.as_object_mut().unwrap().extend(more);
    object
}

pub(super) fn image(media_type: &str, config: &str, layers: &[&str]) -> Value {
    let layers: Vec<_> = layers.iter().enumerate().map(|(n, layer)| part(layer, &format!("layer {n}"))).collect();
    json!({"schemaVersion": 2, "mediaType": media_type, "config": part(config, "config"), "layers": layers})
}

/// An OCI artifact as clients of image-spec 1.1 make it.
pub(super) fn artifact(artifact_type: &str, layer: &str) -> Value {
    with(image(OCI, EMPTY, &[layer]), json!({ "artifactType": artifact_type }))
}

pub(super) fn index(media_type: &str, children: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": children})
}

pub(super) fn amd64() -> Value {
    on(part(OCI, "amd64"), "linux", "amd64")
}

pub(super) fn arm64() -> Value {
    let platform = json!({"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}});
    with(part(OCI, "arm64"), platform)
}

/// What buildx adds for each image: no platform, and the digest of what it is about.
pub(super) fn attestation() -> Value {
    let about =
        json!({ATTESTED_BY: "attestation-manifest", "vnd.docker.reference.digest": digest("amd64").to_string()});
    noted(on(part(OCI, "attestation"), "unknown", "unknown"), about)
}

pub(super) fn cnab_children() -> Vec<Value> {
    let role = |part, role: &str| noted(part, json!({ "io.cnab.manifest.type": role }));
    let component = |part, name: &str| {
        let original = format!("registry.lab/lib/{name}:1.0");
        noted(
            part,
            json!({"io.cnab.manifest.type": "component", "io.cnab.component.name": name,
            "io.cnab.component.original_name": original}),
        )
    };
    vec![
        role(part(OCI, "bundle"), "config"),
        role(part(DOCKER, "invocation"), "invocation"),
        component(part(DOCKER, "web"), "web"),
        // The same image once more, under another name.
        component(part(DOCKER, "web"), "api"),
        component(part(LIST, "multi"), "multi"),
    ]
}

pub(super) const CNAB: &str = "application/vnd.cnab.manifest.v1";

/// The annotations of docker app, with those of all bundles.
pub(super) fn app_annotations() -> Value {
    json!({"io.cnab.runtime_version": "v1.0.0-WD", "io.docker.app.format": "cnab", "io.docker.type": "app",
        "org.opencontainers.artifactType": CNAB, "org.opencontainers.image.title": "lab-words",
        "org.opencontainers.image.version": "0.1.0", "org.opencontainers.image.description": "words of the lab",
        "org.opencontainers.image.authors": "[{\"name\":\"alice\"}]"})
}

pub(super) fn bundle_annotations() -> Value {
    json!({"io.cnab.keywords": "[\"lab\"]", "io.cnab.runtime_version": "v1.0.0",
        "org.opencontainers.artifactType": CNAB, "org.opencontainers.image.title": "bundle"})
}

/// What docker app writes as the content of a bundle's config.
pub(super) const BUNDLE: &str = r#"{"schema_version":"v1.0.0-WD","actions":{},"parameters":{},"credentials":{}}"#;
pub(super) const LINUX: &str = r#"{"os":"linux","architecture":"amd64","rootfs":{},"config":{"Labels":null}}"#;

/// A manifest and what it is.
pub(super) struct Sample {
    pub(super) is: (Kind, Option<&'static str>),
    media_type: &'static str,
    pub(super) body: Value,
    pub(super) config: Option<String>,
    tag: Option<String>,
}

impl Sample {
    fn config(mut self, config: &str) -> Self {
        self.config = Some(config.to_owned());
        self
    }

    fn tag(mut self, tag: String) -> Self {
        self.tag = Some(tag);
        self
    }

    pub(super) fn read(&self) -> Manifest {
        let body = self.body.to_string();
        if self.is.0 == Kind::DockerSchema1 {
            return Manifest::from_stored(MediaType::parse(self.media_type).unwrap(), body.as_bytes()).unwrap();
        }
        Manifest::from_pushed(Some(self.media_type), body.as_bytes(), LIMITS).unwrap_or_else(|e| panic!("{e}: {body}"))
    }

    pub(super) fn tags(&self) -> Vec<Tag> {
        self.tag.iter().map(|tag| Tag::parse(tag).unwrap()).collect()
    }

    /// What it is found to be.
    pub(super) fn verdict(&self) -> KindVerdict {
        let config = self.config.as_ref().map(|config| ImageConfig::read(config.as_bytes()).unwrap());
        Kind::decide(&self.read(), config.as_ref(), &self.tags())
    }
}

pub(super) fn sample(kind: Kind, format: Option<&'static str>, body: Value) -> Sample {
    let media_type = match body["mediaType"].as_str() {
        Some(LIST) => LIST,
        Some(DOCKER) => DOCKER,
        Some(MediaType::OCI_ARTIFACT) => MediaType::OCI_ARTIFACT,
        _ if body.get("manifests").is_some() => INDEX,
        _ => OCI,
    };
    Sample { is: (kind, format), media_type, body, config: None, tag: None }
}

pub(super) fn cosign_tag(suffix: &str) -> String {
    format!("sha256-{}{suffix}", digest("subject").hex())
}

/// One manifest of every kind and format, and the traps.
pub(super) fn samples() -> Vec<Sample> {
    use Kind::*;
    let subject = || json!({"subject": part(OCI, "subject")});
    let notes = |body, annotations: Value| with(body, json!({ "annotations": annotations }));
    let plain = |kind, body| sample(kind, None, body);
    let formed = |kind, format, body| sample(kind, Some(format), body);
    let docker = || image(DOCKER, DOCKER_CONFIG, &[DOCKER_LAYER]);
    let oci = || image(OCI, OCI_CONFIG, &[OCI_LAYER]);
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let envelope = |predicate: &str| {
        let content = "dsse-envelope";
        json!({"dev.sigstore.bundle.content": content, "dev.sigstore.bundle.predicateType": predicate})
    };
    let in_toto = "application/vnd.in-toto+json";
    let cache = part("application/vnd.buildkit.cacheconfig.v0", "cache");
    let mut samples = vec![
        // Images.
        formed(Image, "docker", docker()),
        formed(Image, "docker", docker()).config(LINUX),
        formed(
            Image,
            "docker",
            image(DOCKER, DOCKER_CONFIG, &["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", DOCKER_LAYER]),
        ),
        // Docker 1.10 gave its config no type of its own.
        formed(Image, "docker", image(DOCKER, "application/octet-stream", &[DOCKER_LAYER])),
        formed(Image, "oci", oci()),
        formed(Image, "oci", image(OCI, OCI_CONFIG, &["application/vnd.oci.image.layer.v1.tar+zstd"])),
        formed(Image, "oci", image(OCI, OCI_CONFIG, &[])),
        // An empty artifactType is none, and one that nobody knows makes an image no other thing.
        formed(Image, "oci", with(oci(), json!({"artifactType": ""}))),
        formed(Image, "oci", with(oci(), json!({"artifactType": "application/vnd.example.thing"}))),
        // What a client can run is an image, whatever hides among its layers.
        formed(
            Image,
            "oci",
            image(OCI, OCI_CONFIG, &["application/wasm", OCI_LAYER, "application/vnd.ollama.image.model"]),
        ),
        formed(Image, "oci", image(OCI, OCI_CONFIG, &["application/vnd.dsse.envelope.v1+json", OCI_LAYER])),
        formed(Image, "buildpack", docker())
            .config(r#"{"config":{"Labels":{"io.buildpacks.buildpackage.metadata":"{}"}},"rootfs":{}}"#),
        formed(Image, "builder", oci())
            .config(r#"{"config":{"Labels":{"io.buildpacks.builder.metadata":"{}"}},"rootfs":{}}"#),
        formed(Image, "built-by-buildpacks", oci())
            .config(r#"{"config":{"Labels":{"io.buildpacks.lifecycle.metadata":"{}"}},"rootfs":{}}"#),
        // Indexes.
        plain(MultiArch, index(LIST, &[amd64(), arm64()])),
        plain(MultiArch, index(INDEX, &[amd64(), arm64(), attestation()])),
        plain(MultiArch, index(INDEX, &[amd64()])),
        plain(MultiArch, notes(index(LIST, &[amd64(), arm64()]), json!({"org.opencontainers.image.title": "x"}))),
        formed(Image, "provenance", index(INDEX, &[amd64(), attestation()])),
        formed(
            Image,
            "lazy-load",
            index(
                INDEX,
                &[
                    amd64(),
                    with(part(OCI, "soci"), json!({"artifactType": "application/vnd.amazon.soci.index.v2+json"})),
                ],
            ),
        ),
        // The second child of the platform is for a runtime that loads lazily.
        formed(
            Image,
            "lazy-load",
            index(
                INDEX,
                &[
                    amd64(),
                    with(
                        part(OCI, "nydus"),
                        json!({"platform":
            {"os": "linux", "architecture": "amd64", "os.features": ["nydus.remoteimage.v1"]}}),
                    ),
                ],
            ),
        ),
        // Without its annotation no child is an attestation, and none is one that names a machine.
        plain(Index, index(INDEX, &[on(part(OCI, "x"), "unknown", "unknown"), part(OCI, "y")])),
        plain(MultiArch, index(INDEX, &[amd64(), noted(arm64(), json!({ATTESTED_BY: "attestation-manifest"}))])),
        plain(Index, index(INDEX, &[])),
        plain(ReferrersIndex, index(INDEX, &[with(part(OCI, "sig"), json!({"artifactType": bundle}))]))
            .tag(cosign_tag("")),
        plain(ReferrersIndex, index(INDEX, &[])).tag(format!("sha512-{}", "0".repeat(121))),
        plain(Index, index(INDEX, &[])).tag(format!("sha512-{}", "0".repeat(120))),
        // The tag is a hint alone.
        plain(MultiArch, index(INDEX, &[amd64(), arm64()])).tag(cosign_tag("")),
        formed(Image, "oci", oci()).tag(cosign_tag(".sig")),
        plain(Unknown, with(index(INDEX, &[amd64()]), json!({"artifactType": "application/vnd.example.thing"}))),
        // Applications: docker app's index has no mediaType; its fallback is a Docker list with annotations.
        plain(Application, notes(json!({"schemaVersion": 2, "manifests": cnab_children()}), app_annotations())),
        plain(Application, notes(index(LIST, &cnab_children()), app_annotations())),
        plain(Application, notes(index(INDEX, &cnab_children()), json!({"io.docker.app.format": "cnab"}))),
        plain(CnabBundle, notes(json!({"schemaVersion": 2, "manifests": cnab_children()}), bundle_annotations())),
        plain(CnabBundle, notes(index(LIST, &cnab_children()), bundle_annotations())),
        plain(CnabBundle, with(index(INDEX, &[part(OCI, "x")]), json!({"artifactType": CNAB}))),
        plain(CnabBundle, index(INDEX, &cnab_children())),
        plain(
            CnabConfig,
            json!({"schemaVersion": 2, "config": part("application/vnd.cnab.config.v1+json", "b"), "layers": null}),
        ),
        plain(CnabConfig, image(OCI, "application/vnd.cnab.bundle.config.v1+json", &[])),
        // Its three fallbacks wear an image's config; what they are stands in the content, else with the parent.
        formed(CnabConfig, "fallback", with(image(DOCKER, DOCKER_CONFIG, &[]), json!({"layers": null}))).config(BUNDLE),
        formed(CnabConfig, "fallback", json!({"schemaVersion": 2, "config": part(OCI_CONFIG, "b"), "layers": null}))
            .config(BUNDLE),
        formed(
            CnabConfig,
            "fallback",
            with(image(DOCKER, DOCKER_CONFIG, &[]), json!({"layers": [part(DOCKER_CONFIG, "config")]})),
        )
        .config(BUNDLE),
        formed(Image, "docker", with(image(DOCKER, DOCKER_CONFIG, &[]), json!({"layers": null}))),
        plain(Unknown, with(image(DOCKER, DOCKER_CONFIG, &[]), json!({"layers": [part(DOCKER_CONFIG, "config")]}))),
        // Not an index, so no application.
        formed(Image, "docker", notes(docker(), json!({"io.docker.type": "app"}))),
        // Compose, as of image-spec 1.1 and 1.0, and its images.
        plain(Compose, artifact("application/vnd.docker.compose.project", "application/vnd.docker.compose.file+yaml")),
        plain(
            Compose,
            image(
                OCI,
                "application/vnd.docker.compose.config.empty.v1+json",
                &["application/vnd.docker.compose.file+yaml"],
            ),
        ),
        plain(
            ComposeImages,
            notes(
                with(index(INDEX, &[part(OCI, "web"), amd64()]), subject()),
                json!({"com.docker.compose.version": "2.40"}),
            ),
        ),
        plain(Index, notes(index(INDEX, &[part(OCI, "web")]), json!({"com.docker.compose.version": "2.40"}))),
        // Plugins, charts, packages.
        plain(Plugin, image(DOCKER, "application/vnd.docker.plugin.v1+json", &[DOCKER_LAYER])),
        plain(
            Chart,
            image(
                OCI,
                "application/vnd.cncf.helm.config.v1+json",
                &[
                    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                    "application/vnd.cncf.helm.chart.provenance.v1.prov",
                ],
            ),
        ),
        plain(Chart, image(OCI, "application/vnd.cncf.helm.config.v1+json", &["application/tar+gzip"])),
        plain(Chart, image(OCI, "application/vnd.cncf.helm.chart.config.v1+json", &["application/tar+gzip"])),
        // An artifactType that nobody knows does not hide a config that says what it is.
        plain(
            Chart,
            with(
                image(OCI, "application/vnd.cncf.helm.config.v1+json", &[]),
                json!({"artifactType": "application/vnd.example.thing"}),
            ),
        ),
        plain(
            Chart,
            image(
                OCI,
                "application/vnd.unknown.config.v1+json",
                &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
            ),
        ),
        plain(HelmPlugin, artifact("application/vnd.helm.plugin.v1+json", "application/vnd.oci.image.layer.v1.tar")),
        plain(
            Flux,
            image(OCI, "application/vnd.cncf.flux.config.v1+json", &["application/vnd.cncf.flux.content.v1.tar+gzip"]),
        ),
        plain(Flux, image(OCI, EMPTY, &["application/vnd.cncf.flux.content.v1.tar+gzip"])),
        plain(
            Sif,
            image(OCI, "application/vnd.sylabs.sif.config.v1+json", &["application/vnd.sylabs.sif.layer.v1.sif"]),
        ),
        plain(Sif, image(OCI, "application/vnd.sylabs.sif.config.v1", &["appliciation/vnd.sylabs.sif.layer.tar"])),
        plain(Sif, image(OCI, "application/vnd.unknown.config.v1+json", &["appliciation/vnd.sylabs.sif.layer.tar"])),
        formed(
            Policy,
            "kyverno",
            image(
                OCI,
                "application/vnd.cncf.kyverno.config.v1+json",
                &["application/vnd.cncf.kyverno.policy.layer.v1+yaml"],
            ),
        ),
        formed(
            Policy,
            "opa",
            image(
                OCI,
                "application/vnd.cncf.openpolicyagent.config.v1+json",
                &["application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip"],
            ),
        ),
        formed(
            Package,
            "zarf",
            image(OCI, "application/vnd.zarf.config.v1+json", &["application/vnd.zarf.layer.v1.blob"]),
        ),
        formed(Package, "opentofu", artifact("application/vnd.opentofu.modulepkg", "archive/zip")),
        formed(
            Package,
            "devcontainer",
            image(OCI, "application/vnd.devcontainers", &["application/vnd.devcontainers.layer.v1+tar"]),
        ),
        formed(Package, "tekton", image(OCI, "application/vnd.cdf.tekton.catalog.v1beta1+yaml", &[])),
        formed(
            Package,
            "tekton",
            with(oci(), json!({"layers": [noted(part(OCI_LAYER, "task"), json!({"dev.tekton.image.kind": "task"}))]})),
        ),
        // WebAssembly: as an artifact, old and new; as Spin packs it; dressed as an image.
        plain(Wasm, image(OCI, "application/vnd.wasm.config.v0+json", &["application/wasm"])),
        plain(Wasm, image(OCI, "application/vnd.wasm.config.v1+json", &["application/vnd.wasm.content.layer.v1+wasm"])),
        plain(Wasm, image(OCI, EMPTY, &["application/wasm"])),
        formed(
            Wasm,
            "spin",
            image(
                OCI,
                OCI_CONFIG,
                &["application/vnd.wasm.content.layer.v1+wasm", "application/vnd.fermyon.spin.application.v1+config"],
            ),
        ),
        formed(Wasm, "image", notes(oci(), json!({"module.wasm.image/variant": "compat-smart"}))),
        formed(Wasm, "image", notes(docker(), json!({"run.oci.handler": "wasm"}))),
        formed(Wasm, "image", oci()).config(r#"{"os":"wasip1","architecture":"wasm","rootfs":{}}"#),
        formed(Image, "oci", notes(oci(), json!({"run.oci.handler": "krun"}))),
        // Trust: cosign under tags wears an image's config, and sometimes Docker's types.
        formed(Signature, "cosign", image(OCI, OCI_CONFIG, &["application/vnd.dev.cosign.simplesigning.v1+json"; 2]))
            .tag(cosign_tag(".sig")),
        formed(
            Signature,
            "cosign",
            image(DOCKER, DOCKER_CONFIG, &["application/vnd.dev.cosign.simplesigning.v1+json"]),
        ),
        formed(Attestation, "cosign", image(OCI, OCI_CONFIG, &["application/vnd.dsse.envelope.v1+json"]))
            .tag(cosign_tag(".att")),
        formed(Sbom, "cosign", image(OCI, OCI_CONFIG, &["text/spdx+json"])).tag(cosign_tag(".sbom")),
        formed(Sbom, "spdx", image(OCI, OCI_CONFIG, &["text/spdx+json"])),
        formed(Sbom, "cyclonedx", image(OCI, OCI_CONFIG, &["application/vnd.cyclonedx+xml"])),
        formed(Sbom, "syft", image(OCI, EMPTY, &["application/vnd.syft+json"])),
        formed(Sbom, "spdx", artifact("application/spdx+json", "application/spdx+json")),
        formed(Sbom, "cyclonedx", with(artifact("application/vnd.cyclonedx+json", "application/json"), subject())),
        formed(Sbom, "syft", artifact("application/vnd.syft+json", "application/json")),
        formed(Signature, "sigstore-bundle", with(artifact(bundle, bundle), subject())),
        formed(
            Signature,
            "sigstore-bundle",
            notes(artifact(bundle, bundle), json!({"dev.sigstore.bundle.content": "message-signature"})),
        ),
        formed(
            Signature,
            "sigstore-bundle",
            notes(artifact(bundle, bundle), envelope("https://sigstore.dev/cosign/sign/v1")),
        ),
        formed(
            Attestation,
            "sigstore-bundle",
            notes(
                artifact("application/vnd.dev.sigstore.bundle+json;version=0.2", bundle),
                envelope("https://slsa.dev/provenance/v1"),
            ),
        ),
        formed(
            Signature,
            "cosign",
            with(
                artifact(
                    "application/vnd.dev.cosign.artifact.sig.v1+json",
                    "application/vnd.dev.cosign.simplesigning.v1+json",
                ),
                subject(),
            ),
        ),
        formed(
            Attestation,
            "cosign",
            artifact("application/vnd.dev.cosign.artifact.att.v1+json", "application/vnd.dsse.envelope.v1+json"),
        ),
        formed(Sbom, "cosign", image(OCI, "application/vnd.dev.cosign.artifact.sbom.v1+json", &["text/spdx"])),
        formed(
            Signature,
            "notation",
            with(artifact("application/vnd.cncf.notary.signature", "application/jose+json"), subject()),
        ),
        formed(
            Signature,
            "notation",
            with(image(OCI, "application/vnd.cncf.notary.signature", &["application/cose"]), subject()),
        ),
        // What buildx attests: the old form is an image by its config, the new one says what it is.
        formed(Attestation, "in-toto", image(OCI, OCI_CONFIG, &[in_toto, in_toto])),
        formed(
            Attestation,
            "buildkit",
            with(artifact("application/vnd.docker.attestation.manifest.v1+json", in_toto), subject()),
        ),
        formed(Attestation, "in-toto", with(artifact(in_toto, in_toto), subject())),
        // Caches: layers as children of an index, or a manifest.
        plain(
            BuildkitCache,
            index(
                INDEX,
                &[
                    noted(part(OCI_LAYER, "layer"), json!({"buildkit/createdat": "2026-11-22T00:00:00Z"})),
                    cache.clone(),
                ],
            ),
        ),
        plain(BuildkitCache, index(LIST, &[part(DOCKER_LAYER, "layer"), cache])),
        plain(BuildkitCache, image(OCI, "application/vnd.buildkit.cacheconfig.v0", &[OCI_LAYER])),
        // Models; Ollama's are images by their config.
        formed(
            Model,
            "docker",
            image(
                OCI,
                "application/vnd.docker.ai.model.config.v0.1+json",
                &["application/vnd.docker.ai.gguf.v3", "application/vnd.docker.ai.license"],
            ),
        ),
        formed(
            Model,
            "docker",
            image(OCI, "application/vnd.docker.ai.model.config.v0.2+json", &["application/vnd.docker.ai.safetensors"]),
        ),
        formed(
            Model,
            "modelpack",
            with(
                image(OCI, "application/vnd.cncf.model.config.v1+json", &["application/vnd.cncf.model.weight.v1.tar"]),
                json!({"artifactType": "application/vnd.cncf.model.manifest.v1+json"}),
            ),
        ),
        formed(
            Model,
            "modelpack",
            image(OCI, "application/vnd.cnai.model.config.v1+json", &["application/vnd.cnai.model.doc.v1.tar"]),
        ),
        formed(
            Model,
            "ollama",
            image(
                DOCKER,
                DOCKER_CONFIG,
                &["application/vnd.ollama.image.model", "application/vnd.ollama.image.license"],
            ),
        )
        .config(r#"{"os":"linux","architecture":"amd64","rootfs":{}}"#),
        formed(
            Model,
            "kitops",
            image(
                OCI,
                "application/vnd.kitops.modelkit.config.v1+json",
                &["application/vnd.kitops.modelkit.model.v1.tar"],
            ),
        ),
        formed(
            LazyLoadIndex,
            "soci",
            artifact("application/vnd.amazon.soci.index.v1+json", "application/octet-stream"),
        ),
        formed(
            LazyLoadIndex,
            "nydus",
            with(
                image(OCI, OCI_CONFIG, &["application/vnd.oci.image.layer.nydus.blob.v1"]),
                json!({"artifactType": "application/vnd.nydus.image.manifest.v1+json"}),
            ),
        ),
        // The rest.
        plain(Artifact, artifact("application/vnd.unknown.artifact.v1", "application/vnd.oci.image.layer.v1.tar")),
        plain(Artifact, image(OCI, "application/vnd.unknown.config.v1+json", &["text/markdown"])),
        plain(Unknown, artifact("application/vnd.example.thing.v1", "application/wasm")),
        plain(
            Unknown,
            image(OCI, "application/vnd.example.config.v1+json", &["application/vnd.dsse.envelope.v1+json"]),
        ),
        plain(Unknown, image(OCI, OCI_CONFIG, &["application/vnd.example.layer"])),
        plain(Unknown, image(OCI, EMPTY, &["text/markdown"])),
        plain(
            OciArtifactManifest,
            json!({"mediaType": MediaType::OCI_ARTIFACT, "artifactType": "text/spdx", "blobs": [part("text/spdx", "s")]}),
        ),
    ];
    for signed in [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ] {
        let body = json!({"schemaVersion": 1, "name": "lab/web", "tag": "1", "fsLayers": [], "history": []});
        samples.push(Sample { is: (DockerSchema1, None), media_type: signed, body, config: None, tag: None });
    }
    samples
}
