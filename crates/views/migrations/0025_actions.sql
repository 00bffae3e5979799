-- What people did, by the person, the latest first. A machine that acts for a person is named after that person: "bob, by desk". Placing
-- orders is left out: `orders` has who placed them.
CREATE INDEX timeline_by_person ON timeline (split_part(actor, ', by ', 1), recorded_at, order_id, revision)
    WHERE actor IS NOT NULL AND type <> 'OrderPlaced';
CREATE INDEX timeline_of_people ON timeline (recorded_at, order_id, revision)
    WHERE actor IS NOT NULL AND type <> 'OrderPlaced';
