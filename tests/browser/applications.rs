//! What the founding page showed: an application is told apart, leads to its parts, and is deleted as one.

use crate::browser::Browser;
use crate::harness::Lab;
use crate::in_browser;
use crate::stock::stock;

/// The text of the row of a table that begins with this name.
async fn row(browser: &Browser<'_>, name: &str) -> String {
    let script = include_str!("scripts/row.js");
    let rows = browser.run(script, serde_json::json!([name])).await;
    let rows = crate::browser::strings(&rows);
    assert_eq!(rows.len(), 1, "rows of {name}: {rows:?} in\n{}", browser.text().await);
    rows.into_iter().next().unwrap()
}

in_browser! {
    /// Each kind says in words what it is.
    async fn kinds_are_told_apart() {
        let lab = Lab::new();
        stock(&lab).await;
        let browser = Browser::signed_in(&lab).await;
        browser.follow("admin/lab-words").await;
        let application = row(&browser, "0.1.0").await;
        assert!(application.contains("Application"), "{application}");
        let invocation = row(&browser, "0.1.0-invoc").await;
        assert!(invocation.contains("Invocation image") && invocation.contains("linux/amd64"), "{invocation}");
        browser.open("/repositories").await;
        browser.follow("lab/tools").await;
        for (tag, kind, platforms) in [
            ("image", "Image", "linux/amd64"),
            ("multi-arch", "Multi-arch", "linux/amd64, linux/arm64/v8, linux/s390x"),
            ("plugin", "Docker plugin", "–"),
            ("chart", "Helm chart", "–"),
        ] {
            let row = row(&browser, tag).await;
            assert!(row.contains(kind) && row.contains(platforms), "{tag}: {row}");
            assert!(!row.contains("Application") && !row.contains("Invocation"), "{row}");
        }
    }

    /// View details, a component by its name, back, and by its digest; each image says to what it belongs.
    async fn details_lead_to_components_and_back() {
        let lab = Lab::new();
        let stock = stock(&lab).await;
        let browser = Browser::signed_in(&lab).await;
        browser.follow("admin/lab-words").await;
        let details = browser.one("tbody tr:first-child td:last-child a").await;
        assert_eq!(browser.text_of(&details).await, "View details");
        browser.go_by(&details).await;
        let application = "/r/admin/lab-words/-/tags/0.1.0";
        assert_eq!(browser.path().await, application);
        let component = row(&browser, "web").await;
        assert!(component.contains("component") && component.contains("registry.lab/lib/web:1.0"), "{component}");
        let pinned = format!("/r/admin/lab-words/-/digests/{}", stock.app.web);

        browser.follow("web").await;
        assert_eq!(browser.path().await, pinned);
        assert!(browser.text().await.contains("RUN make web"), "{}", browser.text().await);
        browser.back().await;
        assert_eq!(browser.path().await, application);

        let digest = stock.app.web.to_string();
        browser.follow(&digest["sha256:".len()..][..12]).await;
        assert_eq!(browser.path().await, pinned);
        browser.follow("admin/lab-words:0.1.0").await;
        assert_eq!(browser.path().await, application);
        assert_eq!(browser.console().await, Vec::<String>::new());
    }

    /// The tag of the invocation image cannot go while its application lives, and the page says whose it is.
    async fn a_part_of_a_living_application_is_not_deleted() {
        let lab = Lab::new();
        stock(&lab).await;
        let browser = Browser::signed_in(&lab).await;
        browser.open("/r/admin/lab-words/-/tags/0.1.0-invoc").await;
        browser.follow("Delete…").await;
        let text = browser.text().await;
        assert!(text.contains("admin/lab-words:0.1.0"), "{text}");
        let refusal = browser.one(".note.bad").await;
        assert!(browser.text_of(&refusal).await.contains("admin/lab-words:0.1.0"), "{text}");
        browser.go_by(&browser.one("button.danger").await).await;
        browser.open("/r/admin/lab-words/-/tags").await;
        row(&browser, "0.1.0-invoc").await;
    }

    /// A page says what goes and what stays; then both tags are gone, and one may keep the invocation image's.
    async fn an_application_is_deleted_as_one() {
        let lab = Lab::new();
        stock(&lab).await;
        let browser = Browser::signed_in(&lab).await;
        browser.open("/r/admin/lab-words/-/tags/0.1.0").await;
        browser.follow("Delete…").await;
        let text = browser.text().await;
        for words in ["What goes", "0.1.0-invoc", "web", "Keep that tag"] {
            assert!(text.contains(words), "{words} is not in\n{text}");
        }
        browser.go_by(&browser.one("button.danger").await).await;
        assert_eq!(browser.path().await, "/r/admin/lab-words/-/tags?done=deleted");
        let text = browser.text().await;
        assert!(text.contains("Deleted.") && text.contains("No tags yet."), "{text}");
        assert_eq!(browser.console().await, Vec::<String>::new());
    }

    /// The same without script: a page, a form, and what it says afterwards.
    async fn deleting_needs_no_script() {
        let lab = Lab::new();
        stock(&lab).await;
        let browser = Browser::new(&lab).await;
        browser.look(crate::browser::Look { no_script: true, ..Default::default() }).await;
        browser.sign_in().await;
        browser.open("/r/lab/tools/-/tags").await;
        for tag in ["plugin", "chart"] {
            browser.click(&browser.one(&format!("input[value='{tag}']")).await).await;
        }
        browser.go_by(&browser.one("form[data-rows] .line button").await).await;
        assert_eq!(browser.path().await, "/r/lab/tools/-/delete-tags?ref=chart&ref=plugin");
        browser.go_by(&browser.one("button.danger").await).await;
        let text = browser.text().await;
        assert!(text.contains("Deleted.") && text.contains("4 in all"), "{text}");
        assert_eq!(browser.all("tbody td.tag a").await.len(), 4, "{text}");
    }
}
