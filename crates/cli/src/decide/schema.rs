//! JSON schemas of what the commands read and print, made from the types themselves.

use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::plan::{Plan, Situation};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::output::Evaluation;

/// Each schema with its name: `inventory`, `ledger`, `situation`, `compliance`, `plan`.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    let settings = SchemaSettings::draft2020_12;
    let read = settings().for_deserialize();
    let printed = settings().for_serialize();
    let mut all = vec![
        ("inventory", of::<Inventory>(&read)),
        ("ledger", of::<Ledger>(&read)),
        ("situation", of::<Situation>(&read)),
        ("compliance", of::<Evaluation>(&printed)),
        ("plan", of::<Plan>(&printed)),
    ];
    for (name, schema) in &mut all {
        if *name == "situation" {
            // The commands' own answer where a file does not say.
            if let Some(moment) = schema.pointer_mut("/properties/now").and_then(Value::as_object_mut) {
                moment.remove("default");
                moment.insert("description".to_owned(), json!("The moment; absent: now."));
            }
            if let Some(reachable) = schema.pointer_mut("/properties/server_reachable") {
                reachable["default"] = json!(true);
            }
        }
    }
    all
}

fn of<T: JsonSchema>(settings: &SchemaSettings) -> Value {
    let schema: Schema = settings.clone().into_generator().into_root_schema_for::<T>();
    schema.to_value()
}
