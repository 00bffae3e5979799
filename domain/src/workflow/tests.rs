//! The shipped files, and a file for each kind of fault.

use super::Workflow;

const WITH_BACKORDER: &str = include_str!("../../../workflows/order-fulfilment.yaml");
const WITHOUT_BACKORDER: &str = include_str!("../../../workflows/order-fulfilment-without-backorder.yaml");

#[test]
fn the_shipped_workflows_are_without_fault() {
    for source in [WITH_BACKORDER, WITHOUT_BACKORDER] {
        let workflow = Workflow::parse(source).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(workflow.version, 1);
        assert_eq!(workflow.source, source);
    }
}
