// A role for the sidecar, which writes carts, and one for the service, which only reads the collection. Run once by the
// image, on an empty volume.
const carts = db.getSiblingDB("cart_service_db");
carts.createUser({
  user: "cart_app",
  pwd: process.env.MONGO_CART_PASSWORD,
  roles: [{ role: "readWrite", db: "cart_service_db" }],
});
carts.createUser({
  user: "cart_ro",
  pwd: process.env.MONGO_CART_READER_PASSWORD,
  roles: [{ role: "read", db: "cart_service_db" }],
});
