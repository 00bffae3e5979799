//! `Users`, on a node with users.

use event_store_protocol::users::users_server::Users as UsersApi;
use event_store_protocol::users::{
    ChangePasswordReq, ChangePasswordResp, CreateReq, CreateResp, DeleteReq, DeleteResp, DetailsReq, DetailsResp,
    DisableReq, DisableResp, EnableReq, EnableResp, ResetPasswordReq, ResetPasswordResp, UpdateReq, UpdateResp,
    details_resp::UserDetails,
};
use futures::{StreamExt, stream};
use tonic::{Request, Response, Status};

use super::answers::Answers;
use super::refusal;
use crate::access::caller::Caller;
use crate::access::user::User;
use crate::access::users::{Users, UsersError};

pub(crate) struct UsersService {
    pub(crate) users: Users,
}

fn answered<T>(login: &str, outcome: Result<T, UsersError>) -> Result<T, Status> {
    outcome.map_err(|error| match error {
        UsersError::Exists => refusal::user_exists(login),
        UsersError::Unknown => refusal::user_not_found(login),
        UsersError::OtherPassword => refusal::access_denied(),
        UsersError::Busy => Status::unavailable("Server Is Too Busy"),
        UsersError::Unread(failure) => refusal::unreadable(failure),
        UsersError::Unwritten(failure) => refusal::failed(failure),
        UsersError::TooMany => Status::resource_exhausted(error.to_string()),
        UsersError::Name | UsersError::Password => refusal::invalid(error.to_string()),
        UsersError::Damaged(_) | UsersError::NoSalt(_) => Status::internal(error.to_string()),
    })
}

fn details(user: User) -> DetailsResp {
    let User { login_name, full_name, groups, disabled, .. } = user;
    DetailsResp { user_details: Some(UserDetails { login_name, full_name, groups, disabled, last_updated: None }) }
}

impl UsersService {
    async fn set_disabled(&self, login: &str, disabled: bool) -> Result<(), Status> {
        answered(login, self.users.change(login, |user| user.disabled = disabled).await)
    }
}

#[tonic::async_trait]
impl UsersApi for UsersService {
    type DetailsStream = Answers<DetailsResp>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        let new = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        let created = self.users.create(&new.login_name, &new.full_name, new.groups, new.password).await;
        answered(&new.login_name, created)?;
        Ok(Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        let new = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        let updated = self.users.change(&new.login_name, |user| {
            user.full_name.clone_from(&new.full_name);
            user.groups.clone_from(&new.groups);
        });
        answered(&new.login_name, updated.await)?;
        Ok(Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let login = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?.login_name;
        answered(&login, self.users.delete(&login).await)?;
        Ok(Response::new(DeleteResp {}))
    }

    async fn disable(&self, request: Request<DisableReq>) -> Result<Response<DisableResp>, Status> {
        let login = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?.login_name;
        self.set_disabled(&login, true).await?;
        Ok(Response::new(DisableResp {}))
    }

    async fn enable(&self, request: Request<EnableReq>) -> Result<Response<EnableResp>, Status> {
        let login = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?.login_name;
        self.set_disabled(&login, false).await?;
        Ok(Response::new(EnableResp {}))
    }

    async fn details(&self, request: Request<DetailsReq>) -> Result<Response<Self::DetailsStream>, Status> {
        let caller = Caller::of(&request);
        let login = request.into_inner().options.map(|options| options.login_name).unwrap_or_default();
        if !caller.is_admin() && !caller.is_called(&login) {
            return Err(refusal::access_denied());
        }
        let found = match login.as_str() {
            "" => self.users.all(),
            login => vec![self.users.find(login).ok_or_else(|| refusal::user_not_found(login))?],
        };
        Ok(Response::new(stream::iter(found).map(|user| Ok(details(user))).boxed()))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordReq>,
    ) -> Result<Response<ChangePasswordResp>, Status> {
        let caller = Caller::of(&request);
        let asked = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        if !caller.is_called(&asked.login_name) {
            return Err(refusal::access_denied());
        }
        let changed = self.users.change_password(&asked.login_name, asked.current_password, asked.new_password).await;
        answered(&asked.login_name, changed)?;
        Ok(Response::new(ChangePasswordResp {}))
    }

    async fn reset_password(&self, request: Request<ResetPasswordReq>) -> Result<Response<ResetPasswordResp>, Status> {
        let asked = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        answered(&asked.login_name, self.users.set_password(&asked.login_name, asked.new_password).await)?;
        Ok(Response::new(ResetPasswordResp {}))
    }
}
