//! What is right: policy, inventory, planning, compliance, key ledger, access rules, audit chain. Pure
