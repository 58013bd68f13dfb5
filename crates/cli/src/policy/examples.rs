//! What stands below the help of each command.

pub(crate) const POLICY: &str = "\
Policies are documents in TOML or JSON; docs/policy.md tells how they are written, docs/settings.md all settings. FILE may be \
- for standard input.

Exit codes:
  0  done
  1  something is wrong with a file; it is told on standard error with file, line and column
  2  wrong use of the program";

pub(super) const CHECK: &str = "\
Examples:
  claviger policy check laptops.toml
  claviger policy check --deny-warnings policies/*.toml";

pub(super) const SHOW: &str = "\
Examples:
  claviger policy show laptops.toml
  claviger policy show --effective laptops.toml
  claviger policy show --json laptops.toml";

pub(super) const DIFF: &str = "\
Examples:
  claviger policy diff laptops.toml desktops.toml
  git show HEAD:laptops.toml | claviger policy diff - laptops.toml";

pub(super) const EXPLAIN: &str = "\
Examples:
  claviger policy explain laptops.toml
  claviger policy explain laptops.toml os.min_pin_length";

pub(super) const EFFECTIVE: &str = "\
Inventories and what is in force are written in files as claviger policy preview --help says.

Examples:
  claviger policy effective BER-1 --data-dir /var/lib/claviger
  claviger policy effective BER-1 --inventories fleet.jsonl --targeting in-force.toml
  claviger policy effective BER-1 --data-dir /var/lib/claviger --defaults --json";

pub(super) const IMPORT: &str = "\
FILE is a Registry.pol, a folder with a Group Policy backup, a .reg file, or a script with New-CM… cmdlets; which one is seen \
from its content.

Examples:
  claviger policy import '{5B0F3C1E-9D0A-4B57-8C66-2F7E41A9D5B3}' -o laptops.toml
  claviger policy import bitlocker.reg
  claviger policy import --from cmdlets policies.ps1";

pub(super) const EXPORT: &str = "\
Examples:
  claviger policy export laptops.toml --to registry-pol -o Registry.pol
  claviger policy export laptops.toml --to csp
  claviger policy export laptops.toml --to cmdlets -o policies.ps1";

pub(super) const REFERENCE: &str = "\
Examples:
  claviger policy reference
  claviger policy reference os.protector
  claviger policy reference --schema > policy.schema.json";
