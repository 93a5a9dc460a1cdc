-- One row: counts the changes by which a route of an app comes, changes or goes. Nodes look at it again and again.
CREATE TABLE app_routes (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
) STRICT;

INSERT INTO app_routes (id, generation) VALUES (1, 0);
