//! Every service's schema: created and brought up to date by its own migrations, kept track of inside that schema, so
//! that the services can share a database with one another and with anything else.

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};

/// Creates the schemas `participant_orders`, `participant_payments`, `participant_shipping` and
/// `participant_notifications`, or brings them up to date. May be called at every start, by many processes at once.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let services = [
        ("participant_orders", sqlx::migrate!("migrations/orders")),
        ("participant_payments", sqlx::migrate!("migrations/payments")),
        ("participant_shipping", sqlx::migrate!("migrations/shipping")),
        ("participant_notifications", sqlx::migrate!("migrations/notifications")),
    ];
    for (schema, migrator) in services {
        within(schema, migrator).run(pool).await?;
    }
    Ok(())
}

fn within(schema: &'static str, mut migrator: Migrator) -> Migrator {
    migrator.create_schema(schema);
    migrator.dangerous_set_table_name(format!("{schema}.migrations"));
    migrator
}
