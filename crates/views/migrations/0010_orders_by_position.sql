-- For those who follow orders as they change: what changed after a position.
CREATE INDEX orders_by_position ON orders (position);
