-- Goes up whenever somebody other than the active projector changes views: by a rebuild, or a retry of what was set aside. The
-- projector then begins anew from the checkpoint, with nothing in memory. Projectors from before this do not look at it.
ALTER TABLE checkpoints ADD COLUMN generation bigint NOT NULL DEFAULT 0;
