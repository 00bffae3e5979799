//! The only SQL of a filter: conditions on `orders`. A test compares them with the predicate
//! [`OrderFilter::selects`].

use domain::filter::{AmountRange, AttributeFilter, OrderFilter, StepFilter, TimeRange, WorkflowFilter};
use domain::order::{State, StepStatus};
use serde_json::json;
use sqlx::{Postgres, QueryBuilder};

/// How the conditions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To check one row after another.
    Check,
    /// To find rows through the indexes of the filtered columns.
    Find,
}

type Query = QueryBuilder<Postgres>;

/// Adds the conditions to a statement whose `WHERE` has begun.
pub(crate) fn push_filter(query: &mut Query, filter: &OrderFilter, purpose: Purpose) {
    let states = filter.states.as_ref().map(|states| states.iter().map(|state| state.as_str().to_owned()).collect());
    push_list(query, "status", filter.statuses.clone());
    push_list(query, "state", states);
    push_list(query, "customer_id", filter.customers.clone());
    push_list(query, "placed_by", filter.placed_by.clone());
    if purpose == Purpose::Find && filter.statuses.is_some() && filter.states.is_none() {
        // The index has the state first.
        query.push(" AND state = ANY(").push_bind(all_states()).push(")");
    }
    if let Some(WorkflowFilter { name, version }) = &filter.workflow {
        query.push(" AND workflow = ").push_bind(name.clone());
        if let Some(version) = version {
            query.push(" AND workflow_version = ").push_bind(*version);
        }
    }
    if let Some(skus) = &filter.skus {
        query.push(" AND jsonb_path_query_array(lines, '$[*].sku') ?| ").push_bind(skus.clone());
    }
    push_bound(query, "jsonb_array_length(lines) >=", filter.min_lines.map(i64::from));
    let AmountRange { at_least, at_most } = filter.total;
    push_bound(query, "total >=", at_least);
    push_bound(query, "total <=", at_most);
    let times = [
        ("placed_at >=", "placed_at <", filter.placed_at),
        ("updated_at >=", "updated_at <", filter.updated_at),
        ("ended_at >=", "ended_at <", filter.ended_at),
    ];
    for (not_before, before, TimeRange { from, to }) in times {
        push_bound(query, not_before, from);
        push_bound(query, before, to);
    }
    if let Some(step) = &filter.step {
        push_step(query, step, purpose);
    }
    if let Some(late) = filter.late {
        push_late(query, late, purpose);
    }
    if let Some(text) = &filter.stuck_reason {
        query.push(" AND stuck_reason IS NOT NULL AND strpos(lower(stuck_reason), lower(");
        query.push_bind(text.clone()).push(")) > 0");
    }
    for attribute in &filter.attributes {
        push_attribute(query, attribute);
    }
}

fn push_late(query: &mut Query, late: bool, purpose: Purpose) {
    let late_ones = "FROM expectations WHERE expected_at < now()";
    match (purpose, late) {
        (Purpose::Find, true) => query.push(format_args!(" AND id IN (SELECT order_id {late_ones})")),
        (_, late) => {
            let not = if late { "" } else { "NOT " };
            query.push(format_args!(" AND {not}EXISTS (SELECT {late_ones} AND order_id = orders.id OFFSET 0)"))
        }
    };
}

fn push_list(query: &mut Query, column: &str, wanted: Option<Vec<String>>) {
    if let Some(wanted) = wanted {
        query.push(format_args!(" AND {column} = ANY(")).push_bind(wanted).push(")");
    }
}

fn push_bound<T>(query: &mut Query, condition: &str, bound: Option<T>)
where
    T: for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
{
    if let Some(bound) = bound {
        query.push(format_args!(" AND {condition} ")).push_bind(bound);
    }
}

fn push_attribute(query: &mut Query, AttributeFilter { path, value }: &AttributeFilter) {
    let Some(first) = path.first() else { return };
    if let Some(value) = value {
        let within = path.iter().rev().fold(value.clone(), |value, key| json!({ key: value }));
        query.push(" AND attributes @> ").push_bind(within);
        return;
    }
    query.push(" AND attributes ? ").push_bind(first.clone());
    query.push(" AND (attributes #> ").push_bind(path.clone()).push(") IS NOT NULL");
    // For Postgres, a number in a path may be an index in a list.
    for (depth, _) in path.iter().enumerate().skip(1).filter(|(_, key)| key.trim().parse::<i64>().is_ok()) {
        query.push(" AND jsonb_typeof(attributes #> ").push_bind(path[..depth].to_vec()).push(") = 'object'");
    }
}

fn push_step(query: &mut Query, step: &StepFilter, purpose: Purpose) {
    let StepFilter { name, statuses, participants, since, due, older_than } = step;
    match purpose {
        Purpose::Check => query.push(" AND EXISTS (SELECT FROM steps WHERE steps.order_id = orders.id"),
        Purpose::Find => query.push(" AND id IN (SELECT steps.order_id FROM steps WHERE true"),
    };
    let names = |statuses: &[StepStatus]| statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>();
    match statuses {
        Some(statuses) => {
            query.push(" AND steps.status = ANY(").push_bind(names(statuses)).push(")");
        }
        // The index has the status first. The one by participant has no status.
        None if purpose == Purpose::Find && (participants.is_none() || name.is_some()) => {
            query.push(" AND steps.status = ANY(").push_bind(names(&StepStatus::BEGUN)).push(")");
        }
        None => {}
    }
    if let Some(name) = name {
        query.push(" AND steps.step = ").push_bind(name.clone());
    }
    push_list(query, "steps.participant", participants.clone());
    push_bound(query, "steps.since >=", since.from);
    push_bound(query, "steps.since <", since.to);
    push_bound(query, "steps.due_at >=", due.from);
    push_bound(query, "steps.due_at <", due.to);
    if older_than.is_some() {
        // The age counts from no moment yet.
        query.push(" AND false");
    }
    // Without the offset, Postgres might first search all such steps, to check one row.
    query.push(if purpose == Purpose::Check { " OFFSET 0)" } else { ")" });
}

/// Every state, as the views spell it.
pub(crate) fn all_states() -> Vec<&'static str> {
    State::ALL.map(State::as_str).to_vec()
}

#[cfg(test)]
mod tests {
    //! The SQL of a filter selects exactly what its predicate does: on random orders and random
    //! filters.

    use std::time::Duration;

    use chrono::{DateTime, Utc};
    use domain::filter::{
        AmountRange, AttributeFilter, OrderFilter, OrderSummary, StepFilter, StepSummary, TimeRange, WorkflowFilter,
    };
    use domain::order::{Line, State, StepStatus};
    use postgres_cluster::testing::database;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use rust_decimal::Decimal;
    use serde_json::{Map, Value, json};
    use sqlx::types::Json;
    use sqlx::{PgConnection, PgPool};

    use super::super::Store;
    use crate::selection;

    const ORDERS: usize = 80;
    const FILTERS: usize = 600;
    const WORDS: [&str; 5] = ["a", "B", "Äb", "", "a%_'\\"];
    const KEYS: [&str; 4] = ["a", "b", "0", "1"];

    /// All that a filter may look at of an order.
    #[derive(Debug, Clone)]
    struct Random {
        status: &'static str,
        state: State,
        customer: &'static str,
        placed_by: Option<&'static str>,
        workflow: (&'static str, u32),
        lines: Vec<Line>,
        total: Decimal,
        times: (DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>),
        steps: Vec<StepSummary<'static>>,
        stuck_reason: Option<String>,
        late: bool,
        attributes: Map<String, Value>,
    }

    impl Random {
        fn summary(&self) -> OrderSummary<'_> {
            OrderSummary {
                status: self.status,
                state: self.state,
                customer: self.customer,
                placed_by: self.placed_by,
                workflow: self.workflow.0,
                workflow_version: self.workflow.1,
                lines: &self.lines,
                total: self.total,
                placed_at: self.times.0,
                updated_at: self.times.1,
                ended_at: self.times.2,
                steps: self.steps.clone(),
                stuck_reason: self.stuck_reason.as_deref(),
                late: self.late,
                attributes: &self.attributes,
            }
        }

        async fn insert(&self, id: &str, db: &mut PgConnection) {
            sqlx::query(
                "INSERT INTO orders (id, workflow, workflow_version, status, state, customer_id, currency, total, lines,
                                     attributes, stuck_reason, placed_at, updated_at, ended_at, placed_by, revision,
                                     position)
                 VALUES ($1, $2, $3, $4, $5, $6, 'EUR', $7, $8, $9, $10, $11, $12, $13, $14, 0, 0)",
            )
            .bind(id)
            .bind(self.workflow.0)
            .bind(self.workflow.1.cast_signed())
            .bind(self.status)
            .bind(self.state.as_str())
            .bind(self.customer)
            .bind(self.total)
            .bind(Json(&self.lines))
            .bind(Json(&self.attributes))
            .bind(&self.stuck_reason)
            .bind(self.times.0)
            .bind(self.times.1)
            .bind(self.times.2)
            .bind(self.placed_by)
            .execute(&mut *db)
            .await
            .unwrap();
            sqlx::query(
                "INSERT INTO expectations (order_id, expected_at, steps)
                 VALUES ($1, now() + CASE WHEN $2 THEN -1 ELSE 1 END * interval '1 h', '{}')",
            )
            .bind(id)
            .bind(self.late)
            .execute(&mut *db)
            .await
            .unwrap();
            for StepSummary { name, status, participant, since, due_at } in &self.steps {
                sqlx::query(
                    "INSERT INTO steps (order_id, step, status, attempts, started_at, participant, since, due_at)
                     VALUES ($1, $2, $3, 1, now(), $4, $5, $6)",
                )
                .bind(id)
                .bind(name)
                .bind(status.as_str())
                .bind(participant)
                .bind(since)
                .bind(due_at)
                .execute(&mut *db)
                .await
                .unwrap();
            }
        }
    }

    fn word() -> impl Strategy<Value = &'static str> {
        select(&WORDS[..])
    }

    /// Around each other, also by less than the microsecond that Postgres keeps.
    fn moment() -> impl Strategy<Value = DateTime<Utc>> {
        (0..4_i64).prop_map(|half_micros| DateTime::from_timestamp_nanos(1_700_000_000_000_000_000 + half_micros * 500))
    }

    /// As an order's times are kept.
    fn kept() -> impl Strategy<Value = DateTime<Utc>> {
        moment().prop_map(|at| DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap())
    }

    fn amount() -> impl Strategy<Value = Decimal> {
        (-3..3_i64, 0..3_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale))
    }

    fn number() -> impl Strategy<Value = Value> {
        select(vec![
            json!(0),
            json!(-0.0),
            json!(3),
            json!(3.0),
            json!(-3),
            json!(0.5),
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_992.0),
            json!(1e300),
        ])
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number(),
            word().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 8, 3, |inner| {
            prop_oneof![vec(inner.clone(), 0..3).prop_map(Value::from), object(inner).prop_map(Value::from)]
        })
    }

    fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        btree_map(select(&KEYS[..]).prop_map(str::to_owned), value, 0..3)
            .prop_map(|fields| fields.into_iter().collect())
    }

    fn line() -> impl Strategy<Value = Line> {
        word().prop_map(|sku| Line { sku: sku.to_owned(), name: None, quantity: 1, unit_price: Decimal::ONE })
    }

    fn reason() -> impl Strategy<Value = String> {
        vec(select(vec!["a", "A", "Ä", "ä", "%", "_", "ß", "\u{130}", "Σ"]), 0..4).prop_map(|letters| letters.concat())
    }

    fn order() -> impl Strategy<Value = Random> {
        let standing = (select(vec!["a", "B"]), select(&StepStatus::BEGUN[..]));
        let times = (kept(), proptest::option::of(kept()));
        let step = (standing, proptest::option::of(word()), times).prop_map(
            |((name, status), participant, (since, due_at))| StepSummary { name, status, participant, since, due_at },
        );
        let steps = vec(step, 0..3).prop_map(|mut steps| {
            steps.sort_unstable_by_key(|step| step.name);
            steps.dedup_by_key(|step| step.name);
            steps
        });
        let placed_by = proptest::option::of(word());
        let standing = (word(), select(&State::ALL[..]), word(), (word(), 1..4_u32), placed_by);
        let content = (vec(line(), 0..3), amount(), object(value()));
        let life =
            ((kept(), kept(), proptest::option::of(kept())), steps, proptest::option::of(reason()), any::<bool>());
        (standing, content, life).prop_map(|(standing, content, life)| Random {
            status: standing.0,
            state: standing.1,
            customer: standing.2,
            placed_by: standing.4,
            workflow: standing.3,
            lines: content.0,
            total: content.1,
            attributes: content.2,
            times: life.0,
            steps: life.1,
            stuck_reason: life.2,
            late: life.3,
        })
    }

    /// Mostly nothing: a filter of everything at once is met by no order.
    fn sometimes<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        proptest::option::weighted(0.2, value)
    }

    fn words() -> impl Strategy<Value = Option<Vec<String>>> {
        sometimes(vec(word().prop_map(str::to_owned), 0..4))
    }

    fn range() -> impl Strategy<Value = TimeRange> {
        (sometimes(moment()), sometimes(moment())).prop_map(|(from, to)| TimeRange { from, to })
    }

    fn attribute() -> impl Strategy<Value = AttributeFilter> {
        let path = vec(select(&KEYS[..]).prop_map(str::to_owned), 1..4);
        (path, proptest::option::of(value())).prop_map(|(path, value)| AttributeFilter { path, value })
    }

    fn filter() -> impl Strategy<Value = OrderFilter> {
        let workflow = (word(), proptest::option::of(1..4))
            .prop_map(|(name, version)| WorkflowFilter { name: name.to_owned(), version });
        let statuses = subsequence(StepStatus::BEGUN.to_vec(), 0..6);
        let which = (proptest::option::of(select(vec!["a", "B", "c"])), proptest::option::of(statuses), words());
        let age = sometimes((0..3_u64).prop_map(Duration::from_nanos));
        let step = (which, range(), range(), age)
            .prop_map(|((name, statuses, participants), since, due, older_than)| {
                let name = name.map(str::to_owned);
                StepFilter { name, statuses, participants, since, due, older_than }
            })
            .prop_filter("a step's filter asks for something", |step| !step.is_open());
        let states = sometimes(subsequence(State::ALL.to_vec(), 0..5));
        let total = (sometimes(amount()), sometimes(amount()));
        let total = total.prop_map(|(at_least, at_most)| AmountRange { at_least, at_most });
        let standing = (words(), states, words(), sometimes(workflow), sometimes(step), words());
        let content = (words(), total, vec(attribute(), 0..2), sometimes(0..4_u32));
        let life = (range(), range(), range(), sometimes(reason()), sometimes(any::<bool>()));
        (standing, content, life).prop_map(|(standing, content, life)| OrderFilter {
            statuses: standing.0,
            states: standing.1,
            customers: standing.2,
            placed_by: standing.5,
            workflow: standing.3,
            step: standing.4,
            skus: content.0,
            min_lines: content.3,
            total: content.1,
            attributes: content.2,
            placed_at: life.0,
            updated_at: life.1,
            ended_at: life.2,
            stuck_reason: life.3,
            late: life.4,
        })
    }

    #[tokio::test]
    async fn the_sql_of_a_filter_selects_exactly_what_its_predicate_does() {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        crate::migrate(&pool).await.unwrap();
        let mut runner = TestRunner::default();
        let mut orders = Vec::new();
        let mut db = pool.acquire().await.unwrap();
        for number in 0..ORDERS {
            let (id, order) = (format!("{number:03}"), order().new_tree(&mut runner).unwrap().current());
            order.insert(&id, &mut db).await;
            orders.push((id, order));
        }
        drop(db);
        let ids: Vec<String> = orders.iter().map(|(id, _)| id.clone()).collect();
        let (mut selected, mut left_out) = (0, 0);
        for _ in 0..FILTERS {
            let filter = filter().new_tree(&mut runner).unwrap().current().checked().unwrap();
            let filter = filter.at(moment().new_tree(&mut runner).unwrap().current());
            let expected: Vec<&String> =
                orders.iter().filter(|(_, order)| filter.selects(&order.summary())).map(|(id, _)| id).collect();
            let differs = |found: &[String]| {
                let wrong = |id: &&String| found.contains(id) != expected.contains(id);
                let wrong: Vec<_> = orders.iter().filter(|(id, _)| wrong(&id)).collect();
                format!("{filter:?} differs on {wrong:?}")
            };
            let found = selection::page(&pool, &filter, None, ORDERS).await.unwrap();
            assert!(found.iter().eq(expected.iter().copied()), "to find: {}", differs(&found));
            let met = Store::without_snapshot(pool.clone()).meeting(&ids, std::slice::from_ref(&filter)).await.unwrap();
            let mut met: Vec<String> = met.into_iter().map(|(id, _)| id).collect();
            met.sort_unstable();
            assert!(met.iter().eq(expected.iter().copied()), "to check: {}", differs(&met));
            assert_eq!(selection::count(&pool, &filter, None).await.unwrap(), expected.len() as u64);
            selected += expected.len();
            left_out += ORDERS - expected.len();
        }
        assert!(
            selected > FILTERS && left_out > FILTERS,
            "{selected} selected, {left_out} left out: too alike to tell"
        );
    }
}
