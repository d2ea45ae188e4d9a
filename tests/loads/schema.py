"""What the statements of the loads find in the database `shop`: one table with a hundred rows, and procedures.

`items.id` 1 to 100 are read only; each load writes to ids of its own. `idle()` has no inner statement that the server
would count; `some_rows(n)` answers with n rows and has one, a SELECT.
"""

READ_ONLY_IDS = 100

MARIADB = (
    "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(100) NOT NULL DEFAULT '', n INT, body LONGTEXT)",
    f"INSERT INTO items (id, name, n) SELECT seq, CONCAT('item ', seq), seq FROM seq_1_to_{READ_ONLY_IDS}",
    "CREATE PROCEDURE idle() BEGIN DECLARE n INT; SET n = 1; END",
    "CREATE PROCEDURE some_rows(many INT) SELECT id, name FROM items WHERE id <= many ORDER BY id",
)

POSTGRESQL = (
    "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(100) NOT NULL DEFAULT '', n INT, body TEXT)",
    f"INSERT INTO items (id, name, n) SELECT i, 'item ' || i, i FROM generate_series(1, {READ_ONLY_IDS}) AS i",
    "CREATE PROCEDURE idle() LANGUAGE plpgsql AS 'BEGIN NULL; END'",
    # pg_sleep() knows milliseconds only: what is shorter is spun.
    """CREATE FUNCTION think(seconds FLOAT) RETURNS INT LANGUAGE plpgsql AS $$
    DECLARE until TIMESTAMPTZ := clock_timestamp() + seconds * INTERVAL '1 second';
    BEGIN
        IF seconds >= 0.01 THEN PERFORM pg_sleep(seconds); END IF;
        WHILE clock_timestamp() < until LOOP NULL; END LOOP;
        RETURN 1;
    END $$""",
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC",
)
