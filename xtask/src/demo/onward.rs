//! Where to go on once the story is told: the addresses, and requests to try.

use crate::database;
use crate::demo::cast::Cast;
use crate::demo::commission::{self, Commission};
use crate::demo::events::Domain;
use crate::demo::teller::{head, say};
use crate::failure::Failure;
use crate::stack::Stack;

/// Tells where everything is, and what can be done there.
pub(crate) fn tell(stack: &Stack, cast: &Cast, commission: &Commission) -> Result<(), Failure> {
    head("Go on from here: it all stays up until Ctrl-C")?;
    let (command, query) = (stack.command_url(), stack.query_url());
    let (kafka, topic) = (stack.kafka(), Domain::Order.topic());
    let database = stack.postgres().url("atlas_owner", database::NAME);
    let (order_id, clara) = (&commission.order_id, &cast.commissioner);
    let (token, id) = (&clara.token, &clara.id);
    let order = commission::order(cast);
    say(&format!(
        "
The market     {query}/market/     as Clara, Oak & Iron or Brass Lantern
The console    {query}/console/    as Olga, who runs it, or Ana, who looks on
Every route    {command}/docs
               {query}/docs
Health         {}/health/ready
Metrics        …/metrics of all three
Logs           {}
Database       psql {database}
Messages       {} tail --brokers {kafka} --topic {topic} --from-beginning

As Clara, for a day, in another shell:

AUTH='Authorization: Bearer {token}'
curl -H \"$AUTH\" {query}/v1/orders/{order_id}
curl -H \"$AUTH\" {query}/v1/orders/{order_id}/timeline
curl -H \"$AUTH\" {query}/v1/bonus/accounts/{id}
curl -H \"$AUTH\" -H 'Content-Type: application/json' {command}/v1/orders -d '{order}'

`cargo xtask token` makes tokens for others: the operator is {}, Oak & Iron is {}.",
        stack.projector_url(),
        stack.logs().display(),
        stack.program("dev-broker").display(),
        cast.operator.id,
        cast.maker.id,
    ))
}
