#include "identity/impl/directory_fixture.hpp"

#include "store/queries.hpp"

namespace berth::identity::test {

ServerId DirectoryFixture::make_server(UserId user, const std::string& name) {
    store::ServerRow row;
    row.id = ids_->next<ServerId>();
    row.user = user;
    row.name = ServerName(name);
    Mutation mutation;
    mutation.write = [row](store::Transaction& tx) { store::insert(tx, row); };
    EXPECT_TRUE(run(directory_->commit(std::move(mutation))));
    directory_->put_server(row.id, user, row.name);
    return row.id;
}

}  // namespace berth::identity::test
