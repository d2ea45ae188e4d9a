/* Which deliveries are not acknowledged yet: a sum for each channel, which amqp.py adds up. Times are not its concern. */

/* Whose connection was lost sight of has a new beginning: what was owed before may have been answered meanwhile. */
static __always_inline void owes_since(struct amqp_channel *channel, struct amqp *amqp)
{
    if (channel->since == amqp->since)
        return;
    channel->since = amqp->since;
    channel->owed = channel->begin = 0;
}

/* A consumer begins, whose queue's name stands at `at` and whose own behind it; then comes whether it acknowledges.
 * Deliveries to one that does not look like any other, so its whole channel does not count. */
static __always_inline void consumer_begins(struct pass *pass, struct amqp_channel *channel, volatile u64 *at)
{
    *at += 1 + byte_of(pass, *at);
    *at += 1 + byte_of(pass, *at);
    if (*at >= THERE(pass))
        return;
    if (byte_of(pass, *at) & NO_ACK)
        channel->answers = SOME_ARE_NOT;
    else if (channel->answers == NOT_KNOWN)
        channel->answers = ARE_DUE;
}

static __always_inline void count_delivered(struct amqp_channel *channel, u64 tag, u32 was_got)
{
    if (was_got && channel->got_free)
        return;
    if (!channel->begin)
        channel->begin = tag;
    if (tag >= channel->begin)
        __sync_fetch_and_add(&channel->owed, 1);
}

/* A consumer acknowledges a message, rejects it or gives it back; or `all` up to it. Where the broker's send of it has
 * not returned yet, its delivery is seen later; what was delivered out of sight does not count. All are those behind the
 * tag then, and no more than were: exact unless some behind it had been answered one by one before. */
static __always_inline void count_answered(struct amqp_channel *channel, u64 tag, u32 all)
{
    s64 owed = channel->owed, behind = channel->delivered.last - tag;
    if (channel->answers == NOT_KNOWN)
        channel->answers = ARE_DUE;
    if (all && !tag)
        behind = 0;
    if (!channel->begin) {
        channel->begin = tag + 1;
        return;
    }
    if (!all && tag >= channel->begin)
        __sync_fetch_and_add(&channel->owed, -1);
    if (all && owed > behind)
        __sync_fetch_and_add(&channel->owed, behind - owed);
}
