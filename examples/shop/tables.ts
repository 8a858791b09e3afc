/** The tables of the shop, with everything that a database can see to. Nothing in them is write-behind's. */

/** How far an order is. */
export const statuses = ["placed", "paid", "shipped", "cancelled"] as const;
export type Status = (typeof statuses)[number];

const listed = statuses.map((status) => `'${status}'`).join(", ");

/** Statements that both databases take; `status` is the type of an order's status. */
const tables = (status: string): string => `
CREATE TABLE customers (
  id integer PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text NOT NULL,
  orders integer NOT NULL DEFAULT 0 CHECK (orders >= 0)
);
CREATE TABLE products (
  id integer PRIMARY KEY,
  name text NOT NULL UNIQUE,
  price integer NOT NULL CHECK (price > 0)
);
CREATE TABLE stock (
  product integer PRIMARY KEY REFERENCES products (id),
  delivered integer NOT NULL,
  units integer NOT NULL CHECK (units BETWEEN 0 AND delivered)
);
CREATE TABLE orders (
  id integer PRIMARY KEY,
  customer integer NOT NULL REFERENCES customers (id),
  status ${status},
  total integer NOT NULL CHECK (total > 0)
);
CREATE TABLE order_lines (
  order_id integer NOT NULL REFERENCES orders (id),
  no integer NOT NULL,
  product integer NOT NULL REFERENCES products (id),
  units integer NOT NULL CHECK (units > 0),
  price integer NOT NULL CHECK (price > 0),
  PRIMARY KEY (order_id, no),
  UNIQUE (order_id, product)
);
CREATE TABLE order_history (order_id integer NOT NULL, status text NOT NULL);
`;

/** SQLite has no enums; a check says as much. */
export const sqliteSql = `${tables(`text NOT NULL CHECK (status IN (${listed}))`)}
CREATE TRIGGER order_inserted AFTER INSERT ON orders BEGIN INSERT INTO order_history VALUES (NEW.id, NEW.status); END;
CREATE TRIGGER order_updated AFTER UPDATE ON orders BEGIN INSERT INTO order_history VALUES (NEW.id, NEW.status); END;
`;

export const postgresSql = `CREATE TYPE order_status AS ENUM (${listed});
${tables("order_status NOT NULL")}
CREATE FUNCTION log_order() RETURNS trigger LANGUAGE plpgsql
  AS 'BEGIN INSERT INTO order_history VALUES (NEW.id, NEW.status::text); RETURN NULL; END';
CREATE TRIGGER order_written AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION log_order();
`;

/**
 * What must hold after every commit and no constraint can say; it gives what does not, by name and id. An order changes
 * its status at most once to each: who writes something twice, or an older value, is in its history twice.
 */
export const invariantsSql = `
SELECT 'the total of order' AS what, o.id AS id FROM orders o
  WHERE o.total <> (SELECT coalesce(sum(l.units * l.price), 0) FROM order_lines l WHERE l.order_id = o.id)
UNION ALL SELECT 'the number of orders of customer', c.id FROM customers c
  WHERE c.orders <> (SELECT count(*) FROM orders o WHERE o.customer = c.id)
UNION ALL SELECT 'the stock of product', s.product FROM stock s
  WHERE s.delivered - s.units <> (SELECT coalesce(sum(l.units), 0) FROM order_lines l JOIN orders o ON o.id = l.order_id
    WHERE l.product = s.product AND o.status <> 'cancelled')
UNION ALL SELECT 'the history of order', h.order_id FROM order_history h
  GROUP BY h.order_id, h.status HAVING count(*) > 1
`;
