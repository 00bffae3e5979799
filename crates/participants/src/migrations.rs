//! The services' schemas. Each has its own migrations, recorded inside the schema, so services can
//! share a database with each other and with other applications.

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};

/// Creates the schemas `participant_orders`, `participant_payments`, `participant_shipping` and
/// `participant_notifications`, or migrates them. Many processes may call it at every start, even
/// at once.
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
