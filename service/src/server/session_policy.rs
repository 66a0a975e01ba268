//! Time policies between messages and types.

use forecast_proto::v1;
use tonic_types::FieldViolation;

use crate::session::{TimeAction, TimePolicy};

/// Steps that one gap imputes, at most.
const MOST_GAP_STEPS: usize = 100_000;

/// An action as a message.
pub(super) fn action_message(action: TimeAction) -> v1::TimeAction {
    match action {
        TimeAction::Reject => v1::TimeAction::Reject,
        TimeAction::Drop => v1::TimeAction::Drop,
        TimeAction::Impute => v1::TimeAction::Impute,
        TimeAction::Reset => v1::TimeAction::Reset,
    }
}

/// A policy, with what it leaves open; `lookback` is the model's.
pub(super) fn policy(
    message: &v1::TimePolicy,
    path: &str,
    lookback: usize,
    violations: &mut Vec<FieldViolation>,
) -> TimePolicy {
    let mut action = |field: &str, value: i32, default: TimeAction, refused: &[TimeAction]| {
        let action = match v1::TimeAction::try_from(value) {
            Ok(v1::TimeAction::Unspecified) => default,
            Ok(v1::TimeAction::Reject) => TimeAction::Reject,
            Ok(v1::TimeAction::Drop) => TimeAction::Drop,
            Ok(v1::TimeAction::Impute) => TimeAction::Impute,
            Ok(v1::TimeAction::Reset) => TimeAction::Reset,
            Err(_) => {
                violations
                    .push(FieldViolation::new(format!("{path}.{field}"), format!("{value} is no action")));
                default
            }
        };
        if refused.contains(&action) {
            let rule = format!("{} cannot be done here", action_message(action).as_str_name());
            violations.push(FieldViolation::new(format!("{path}.{field}"), rule));
        }
        action
    };
    use TimeAction::{Impute, Reject, Reset};
    let policy = TimePolicy {
        late: action("late", message.late, Reject, &[Impute]),
        duplicate: action("duplicate", message.duplicate, Reject, &[Impute, Reset]),
        gap: action("gap", message.gap, Impute, &[]),
        off_grid: action("off_grid", message.off_grid, Reject, &[Impute]),
        max_gap_steps: match message.max_gap_steps {
            0 => lookback.min(MOST_GAP_STEPS),
            n => n as usize,
        },
    };
    if policy.max_gap_steps > MOST_GAP_STEPS {
        let rule = format!("it is {}, but must be at most {MOST_GAP_STEPS}", policy.max_gap_steps);
        violations.push(FieldViolation::new(format!("{path}.max_gap_steps"), rule));
    }
    policy
}

/// A policy as a message.
pub(super) fn policy_message(policy: &TimePolicy) -> v1::TimePolicy {
    v1::TimePolicy {
        late: action_message(policy.late).into(),
        duplicate: action_message(policy.duplicate).into(),
        gap: action_message(policy.gap).into(),
        off_grid: action_message(policy.off_grid).into(),
        max_gap_steps: u32::try_from(policy.max_gap_steps).unwrap_or(u32::MAX),
    }
}
