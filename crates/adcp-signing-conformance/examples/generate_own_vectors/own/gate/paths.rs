//! The HTTP+JSON binding of A2A: no spelling of a path, and no member of a body, frees a method
//! that is required.

use super::{A2A, CREATE, bare, requiring};
use crate::own::{
    message::{Kind, Message, Sent},
    vector::{Suite, Vector},
};

const METHODS: [&str; 4] = [
    "CancelTask",
    "CreateTaskPushNotificationConfig",
    "DeleteTaskPushNotificationConfig",
    "ListTasks",
];
const OLD_METHODS: [&str; 3] =
    ["tasks/cancel", "tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/delete"];

pub(super) fn add(suite: &mut Suite, folder: &'static str, kind: Kind) {
    let at = |path: &str| format!("https://seller.example.com{path}");
    let none = |method: &str, path: &str| bare(kind, method, &at(path));
    let with = |method: &str, path: &str, body: &str| {
        Message::request(kind).method(method).url(&at(path)).body(body)
    };
    let vector = |slug: &str, name: &str, sent: Sent| {
        Vector::new(folder, slug, name, A2A, sent)
            .transport("a2a")
            .capability(requiring(&[CREATE], &METHODS))
    };

    for (slug, name, message) in [
        (
            "bound-cancel",
            "A path stands for a required method",
            with("POST", "/v1/tasks/7:cancel", "{}"),
        ),
        (
            "bound-cancel-empty",
            "A path stands for a required method, without a body",
            none("POST", "/v1/tasks/7:cancel"),
        ),
        (
            "bound-delete",
            "DELETE of a push configuration",
            none("DELETE", "/v1/tasks/7/pushNotificationConfigs/c"),
        ),
        // A method in the body does not hide the path's.
        (
            "bound-cancel-method-unknown",
            "A method in the body that nobody knows",
            with("POST", "/v1/tasks/7:cancel", r#"{"method":"x"}"#),
        ),
        (
            "bound-cancel-method-unlisted",
            "A method in the body that is not listed",
            with("POST", "/v1/tasks/7:cancel", r#"{"method":"GetTask"}"#),
        ),
        (
            "bound-cancel-envelope",
            "A whole envelope in the body, of a method that is not listed",
            with(
                "POST",
                "/v1/tasks/7:cancel",
                r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"7"}}"#,
            ),
        ),
        (
            "bound-push-configuration-method",
            "A method in the body of a push configuration",
            with(
                "POST",
                "/v1/tasks/7/pushNotificationConfigs",
                r#"{"method":"x","url":"https://evil.example"}"#,
            ),
        ),
        (
            "bound-delete-method",
            "A method in the body of DELETE",
            with("DELETE", "/v1/tasks/7/pushNotificationConfigs/c", r#"{"method":"x"}"#),
        ),
        // Nor does the path hide the body's.
        (
            "bound-other-envelope-required",
            "An envelope of a required method at the path of another",
            with(
                "POST",
                "/v1/tasks/7:subscribe",
                r#"{"jsonrpc":"2.0","id":1,"method":"CancelTask","params":{"id":"7"}}"#,
            ),
        ),
        (
            "bound-other-envelope-message",
            "An envelope with a required operation at the path of another method",
            with(
                "POST",
                "/v1/tasks/7:subscribe",
                r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"parts":[{"data":{"skill":"create_media_buy"}}]}}}"#,
            ),
        ),
        // Other spellings of the HTTP method.
        (
            "method-lower-case",
            "The HTTP method is in lower case",
            none("delete", "/v1/tasks/7/pushNotificationConfigs/c"),
        ),
        (
            "method-mixed-case",
            "The HTTP method is in mixed case",
            none("Delete", "/v1/tasks/7/pushNotificationConfigs/c"),
        ),
        ("method-get-lower-case", "GET is in lower case", none("get", "/v1/tasks")),
        ("method-head", "HEAD is answered by the handler of GET", none("HEAD", "/v1/tasks")),
        (
            "method-override-field",
            "A field replaces the HTTP method",
            none("POST", "/v1/tasks/7/pushNotificationConfigs/c")
                .header("X-HTTP-Method-Override", "DELETE"),
        ),
        (
            "method-override-query",
            "A parameter of the query replaces the HTTP method",
            none("POST", "/v1/tasks/7/pushNotificationConfigs/c?_method=DELETE"),
        ),
        (
            "method-of-no-binding",
            "An HTTP method that the binding does not have",
            none("QUERY", "/v1/tasks"),
        ),
        // Other spellings of the segments.
        (
            "segment-empty",
            "An empty segment, which some servers merge",
            none("DELETE", "/v1/tasks/7/pushNotificationConfigs//c"),
        ),
        (
            "segment-config-called-as-a-verb",
            "The push configuration is called message:send",
            none("DELETE", "/v1/tasks/7/pushNotificationConfigs/message:send"),
        ),
        (
            "segment-other-case",
            "The segments are in other letter case",
            with("POST", "/V1/Tasks/7:Cancel", "{}"),
        ),
        ("segment-escaped", "The colon is escaped", with("POST", "/v1/tasks/7%3Acancel", "{}")),
        (
            "segment-matrix-parameter",
            "The last segment has a matrix parameter",
            with("POST", "/v1/tasks/7:cancel;v=1", "{}"),
        ),
        (
            "segment-trailing-slash",
            "The path ends in a slash",
            with("POST", "/v1/tasks/7:cancel/", "{}"),
        ),
        (
            "segment-encoded-slash",
            "The path ends in an encoded slash",
            with("POST", "/v1/tasks/7:cancel%2F", "{}"),
        ),
        (
            "segment-dot-segments",
            "Dot segments lead to another method, and not every router follows them",
            none("GET", "/v1/tasks/7:cancel/../7"),
        ),
        ("segment-backslash", "A backslash stands for a slash", none("GET", "/v1\\tasks")),
        (
            "segment-task-called-as-a-verb",
            "The task is called with a verb of its own",
            with("POST", "/v1/tasks/a:subscribe:cancel", "{}"),
        ),
        (
            "path-of-no-method",
            "No path explains the request, and it has no body",
            none("GET", "/v2/reports"),
        ),
    ] {
        suite.add(vector(slug, name, message.unsigned()).refused("required", 0));
    }

    // Over HTTP+JSON nobody writes the method's name, so its 0.3 name in the capability counts.
    for (slug, name, message) in [
        ("old-names-cancel", "tasks/cancel is required", with("POST", "/v1/tasks/7:cancel", "{}")),
        (
            "old-names-cancel-empty",
            "tasks/cancel is required, and there is no body",
            none("POST", "/v1/tasks/7:cancel"),
        ),
        (
            "old-names-push-configuration",
            "tasks/pushNotificationConfig/set is required",
            with(
                "POST",
                "/v1/tasks/7/pushNotificationConfigs",
                r#"{"url":"https://evil.example"}"#,
            ),
        ),
        (
            "old-names-delete",
            "tasks/pushNotificationConfig/delete is required",
            none("DELETE", "/v1/tasks/7/pushNotificationConfigs/c"),
        ),
        (
            "old-names-json-rpc",
            "tasks/cancel is required, and is called by its own name",
            with(
                "POST",
                "/a2a",
                r#"{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{"id":"7"}}"#,
            ),
        ),
    ] {
        suite.add(
            vector(slug, name, message.unsigned())
                .capability(requiring(&[], &OLD_METHODS))
                .refused("required", 0),
        );
    }

    for (slug, name, message) in [
        (
            "bound-unlisted",
            "A path stands for a method that is not listed",
            none("POST", "/v1/tasks/7:subscribe"),
        ),
        (
            "bound-unlisted-envelope",
            "Path and envelope stand for methods that are not listed",
            with("POST", "/v1/tasks/7:subscribe", r#"{"method":"GetTask"}"#),
        ),
        ("agent-card", "The public agent card", none("GET", "/.well-known/agent-card.json")),
    ] {
        suite.add(vector(slug, name, message.unsigned()).unsigned().resolves(None));
    }
    let exact = with(
        "POST",
        "/a2a",
        r#"{"jsonrpc":"2.0","id":1,"method":"CancelTask","params":{"id":"7"}}"#,
    );
    let name =
        "JSON-RPC names match exactly: the 1.0 name does not meet the 0.3 name that is listed";
    suite.add(
        vector("json-rpc-name-of-the-other-generation", name, exact.unsigned())
            .capability(requiring(&[], &OLD_METHODS))
            .unsigned()
            .resolves(None),
    );
}
