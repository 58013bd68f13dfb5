//! What every store must do. [`suite!`] makes one test of each case for a kind of store.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod devices;
pub(crate) mod keys;
pub(crate) mod make;
pub(crate) mod policies;
pub(crate) mod settings;
pub(crate) mod summary;
pub(crate) mod targeting;
pub(crate) mod within;

use std::any::Any;
use std::sync::Arc;

use store::Store;

/// A store, and what must live as long as it does.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keep: Box<dyn Any + Send>,
}

/// `suite!(make_store)`: `make_store` gives a [`Fixture`] with an empty store.
macro_rules! suite {
    ($make:path) => {
        $crate::contract::suite!(@ $make;
            devices:
                an_enrolled_device_is_found_and_its_token_loses_a_use,
                a_token_that_is_unknown_revoked_expired_or_used_up_enrols_nobody,
                devices_with_one_hardware_id_are_all_marked_until_one_is_left,
                an_inventory_is_stored_with_users_volumes_and_verdict,
                a_retired_device_may_not_write_and_leaves_the_lists,
                a_missing_device_is_not_found_by_any_change,
                last_contacts_are_gathered_and_never_go_back,
                a_check_in_that_was_overtaken_is_not_stored,
                a_check_in_sees_ledger_and_requests,
                a_request_is_done_once_and_only_by_its_device,
                search_finds_name_user_model_and_key_id,
                filters_sorting_and_pages_agree_with_the_total,
                users_find_their_devices_whatever_the_case;
            keys:
                an_escrow_sent_again_is_acknowledged_with_its_first_moment,
                another_secret_for_a_protector_is_a_further_version_and_needs_a_new_proof,
                the_same_protector_on_two_devices_is_two_keys,
                a_password_told_from_one_record_is_exposed_in_every_record_of_it,
                a_password_told_before_another_device_escrows_it_is_exposed_there_too,
                a_disclosure_hands_out_the_newest_secret_and_records_it,
                a_disclosure_without_a_record_is_refused,
                a_disclosure_prefers_a_proven_older_version_to_a_failed_newest_one,
                a_rotation_supersedes_the_old_key_and_keeps_it,
                storing_the_replacement_of_a_key_that_vanished_before_supersedes_it,
                a_key_that_the_last_inventory_lists_or_cannot_see_is_not_superseded_by_an_escrow,
                a_key_that_comes_back_is_exposed_if_it_ever_was,
                a_superseded_key_can_be_told_and_stays_superseded,
                keys_are_found_by_first_digits_and_whole_id_on_retired_devices_too,
                untried_keys_are_offered_with_their_evidence_until_they_have_an_outcome,
                an_outcome_of_an_older_version_leaves_the_newest_as_it_is,
                an_escrow_shows_in_the_stored_compliance;
            policies:
                a_policy_gets_the_next_version_unless_it_is_in_force_already,
                a_new_policy_shows_in_verdicts_after_reevaluation,
                reevaluation_goes_through_all_devices_in_steps;
            accounts:
                an_account_is_found_whatever_the_case_and_made_once,
                the_first_account_is_made_only_when_there_is_none,
                the_last_administrator_stays,
                failed_sign_ins_lock_and_a_good_one_forgets_them,
                a_session_ends_by_time_by_signing_out_and_by_disabling,
                a_new_password_ends_the_other_sessions,
                stale_sessions_are_removed,
                an_api_token_is_found_by_its_hash_until_it_ends,
                a_token_is_listed_without_its_hash_and_revoked_once;
            audit:
                the_chain_verifies_and_follows_the_order_of_commits,
                a_failed_change_leaves_no_entry,
                entries_are_found_by_actor_action_subject_device_and_time,
                a_checkpoint_must_fit_the_chain;
            settings:
                a_setting_is_replaced_or_set_once,
                settings_are_listed_by_prefix;
            summary:
                counts_follow_every_change,
                drives_are_counted_by_kind_and_verdict;
            targeting:
                a_version_is_kept_with_its_text_and_never_written_over,
                what_does_not_fit_together_is_rejected_and_leaves_nothing,
                the_built_in_ones_stay,
                a_device_is_evaluated_under_the_policy_of_its_collections,
                a_refresh_settles_a_stale_device_even_before_it_reported,
                a_failed_change_does_not_reach_devices,
                tags_and_own_settings_take_effect_with_the_change,
                a_deployment_begins_by_time_alone,
                an_exemption_goes_from_request_to_end_and_keeps_its_record,
                a_whole_policy_is_a_version_of_the_built_in_document;
            within:
                lists_and_look_ups_end_at_the_scope,
                a_key_outside_the_scope_is_not_told_and_nothing_is_recorded,
                counts_of_a_part_are_those_of_its_devices,
                the_audit_of_a_part_is_that_of_its_devices,
                exemptions_of_a_part_are_those_of_its_people,
                devices_move_between_scopes_with_rules_names_and_retirement,
                an_account_keeps_its_scope_and_an_administrator_for_everything_stays;
        );
    };
    (@ $make:path; $($module:ident: $($case:ident),+;)+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $case() {
                let fixture = $make();
                $crate::contract::$module::$case(fixture.store.as_ref()).await;
                drop(fixture.store);
                drop(fixture.keep);
            })+
        })+
    };
}
pub(crate) use suite;
