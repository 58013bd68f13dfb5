//! The committed schemas are those of the types. `UPDATE_SCHEMAS=1 cargo test -p cli schemas` writes them anew.

use std::path::Path;

use cli::decide::schema::schemas;

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    for (name, schema) in schemas() {
        let path = folder.join(format!("{name}.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).expect("the schema is written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "docs/schema/{name}.json is stale: UPDATE_SCHEMAS=1 writes it anew"
        );
    }
}

#[test]
fn a_schema_tells_what_may_be_left_out() {
    let schemas = schemas();
    let schema = |wanted: &str| &schemas.iter().find(|(name, _)| *name == wanted).expect("a schema").1;
    assert!(schema("inventory").get("required").is_none());
    assert_eq!(schema("situation")["properties"]["server_reachable"]["default"], true);
    let volume = &schema("inventory")["$defs"]["VolumeReport"]["required"];
    assert_eq!(
        *volume,
        serde_json::json!(["device", "kind", "protection", "conversion"])
    );
}
